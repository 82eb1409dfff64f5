"""The container image of a Bento.

BentoML generates the Dockerfile. Its last own step installs the locked
packages; the step after it, ours, is Dockerfile text that BentoML writes as it
is: it drops what serving does not need and opens a second stage, so that
neither the installer nor anything dropped is in a layer of the image. Then
follow BentoML's closing lines: the Bento's files, the user, the entry point.
"""

import bentoml

BASE_IMAGE = "python:3.11-slim"

# Of OpenVINO, serving needs the processor's plug-in and the reader of its own format; neither its
# converter nor the telemetry that this one starts when OpenVINO is imported.
DROP_UNUSED = r"""find /app/.venv -type f \( \
    -path '*/openvino/include/*' -o -path '*/openvino/tools/*' -o -path '*/openvino_telemetry/*' \
    -o -path '*/numpy/*/tests/*' -o -path '*/openvino/libs/*' \
    ! -name 'libopenvino.so*' ! -name '*_intel_cpu_plugin.so' ! -name '*_ir_frontend.so*' \
    ! -name 'libhwloc.so*' ! -name 'libtbb*.so*' \) -delete
"""

# The server writes below /tmp alone, so that all else may be read-only. What is to outlive the
# container goes onto a volume at /var/lib/bentoml, to which BENTOML_HOME is then set.
SERVING_STAGE = r"""ENV LANG=C.UTF-8 \
    PYTHONUNBUFFERED=1 \
    VIRTUAL_ENV=/app/.venv \
    PATH=/app/.venv/bin:$PATH \
    BENTO_PATH=/home/bentoml/bento \
    BENTOML_HOME=/tmp/bentoml \
    BENTOML_PORT=3000 \
    BENTOML_CONTAINERIZED=true \
    BENTOML_DO_NOT_TRACK=true
RUN groupadd --gid 1034 bentoml && useradd --uid 1034 --gid 1034 --create-home bentoml \
    && install --directory --owner=bentoml --group=bentoml /var/lib/bentoml
WORKDIR /home/bentoml/bento
COPY --from=base-container /app /app
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s CMD ["python", "-c", \
    "import os, urllib.request as http; \
    http.urlopen('http://127.0.0.1:' + os.environ['BENTOML_PORT'] + '/readyz', timeout=4)"]
"""


def locked_image(requirements: str) -> bentoml.images.Image:
    """An image with the packages of a requirements file, locked with hashes.

    BentoML's own lock would drop the hashes; uv checks those that it is given.
    """
    image = bentoml.images.Image(
        base_image=BASE_IMAGE, distro="none", python_version="3.11", lock_python_packages=False
    )
    return image.requirements_file(requirements).run(
        f"{DROP_UNUSED}\nFROM {BASE_IMAGE}\n{SERVING_STAGE}"
    )
