from bentoml_img.training.segmentation.command import main

main()
