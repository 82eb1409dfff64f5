"""Make a bundle ready for int8 or bf16, where that costs little accuracy.

    python3 -m bentoml_img.training.reduced_precision artifacts/deeplabv3_lite \\
        --precision int8 --photos images --data DATA

Both are compared with fp32: the labels and the speed on photos, the accuracy on
DATA, the folder that the task's script takes to evaluate. What was measured goes
into the bundle's manifest, and an int8 graph beside the bundle's others; nothing
does if the loss is above the bound.
"""
