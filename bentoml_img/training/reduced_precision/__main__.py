from bentoml_img.training.reduced_precision.command import main

main()
