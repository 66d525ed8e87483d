# unclip in a container, with the model in the box.
#
#     docker build -t unclip .
#     docker run --rm -v "$PWD/photos:/data:ro" unclip search 'a red heart' .
#     docker run --rm -v "$PWD:/data" --entrypoint sh unclip -c 'clip-embed photos/*.jpg | rank --labels labels.txt --tsv'
#
# Docker itself has not built it yet: tests/stress/dockerfile.sh does these steps one after another in chroots of Debian 12.

FROM debian:12-slim AS build
RUN apt-get update && apt-get install -y --no-install-recommends build-essential
WORKDIR /src/unclip
COPY debian/control debian/
RUN apt-get build-dep -y --no-install-recommends ./
COPY . .
RUN DEB_BUILD_OPTIONS="nocheck parallel=$(nproc)" dpkg-buildpackage -us -uc -b

FROM debian:12-slim
COPY --from=build /src/unclip_*.deb /src/unclip-models_*.deb /deb/
# The libraries of HEIF, TIFF and fonts are recommended, not needed: they are opened when a file needs them.
RUN apt-get update && apt-get install -y --no-install-recommends /deb/*.deb libheif1 libtiff6 libfreetype6 fonts-dejavu-core && \
    rm -rf /deb /var/lib/apt/lists/*
WORKDIR /data
ENTRYPOINT ["unclip"]
