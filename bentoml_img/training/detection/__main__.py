from bentoml_img.training.detection.command import main

main()
