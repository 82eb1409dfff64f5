"""The precision that a Bento computes in where it is served."""

import logging

logger = logging.getLogger("bentoml_img.precision")


def precision_here(chosen: str) -> str:
    """What was chosen when the Bento was built; fp32 where the processor lacks bfloat16.

    A Bento goes from one machine to another: it should serve there too, and say so.
    """
    if chosen == "bf16":
        from bentoml_img.engines.openvino import has_bfloat16

        if not has_bfloat16():
            logger.warning("this processor has no bfloat16: computing in fp32, which is slower")
            return "fp32"
    return chosen
