"""Make a bundle ready for int8 or bf16, where that costs little accuracy.

    python3 -m bentoml_img.training.reduced_precision artifacts/deeplabv3_lite \\
        --precision int8 --photos images --data DATA

The precision is compared with fp32: labels and speed on the photos, accuracy on DATA, the
folder that the task's script takes for --evaluate. The results are written into the bundle's
manifest, and an int8 graph beside its other graphs. If the loss of accuracy is above the
bound, the bundle stays as it was.
"""
