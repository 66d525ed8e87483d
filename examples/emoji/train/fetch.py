#!/usr/bin/env python3
"""fetch.py CACHE: download and unpack every source, by package name and version.

Needs npm, apt-get and dpkg-deb.  Everything lands in CACHE/pkg (archives) and
CACHE/x (unpacked).  What is there already is kept.
"""
import pathlib
import subprocess
import sys

NPM = [  # package, version, licence of the pictures or data we use
    ("@iconify-json/noto", "1.2.9", "Apache-2.0"),
    ("@iconify-json/noto-v1", "1.2.5", "Apache-2.0"),
    ("@iconify-json/twemoji", "1.2.5", "CC-BY-4.0"),
    ("@iconify-json/fluent-emoji", "1.2.7", "MIT"),
    ("@iconify-json/fluent-emoji-flat", "1.2.6", "MIT"),
    ("@iconify-json/fluent-emoji-high-contrast", "1.2.6", "MIT"),
    ("@iconify-json/emojione", "1.2.3", "CC-BY-4.0"),
    ("@iconify-json/emojione-monotone", "1.2.1", "CC-BY-4.0"),
    ("@iconify-json/fxemoji", "1.2.2", "Apache-2.0"),
    ("@iconify-json/streamline-emojis", "1.2.4", "CC-BY-4.0"),
    ("@lobehub/fluent-emoji-3d", "1.1.0", "MIT"),
    ("emoji-datasource-google", "16.0.0", "MIT"),  # only its emoji.json
    ("openmoji", "17.0.0", "CC-BY-SA-4.0"),  # evaluation only, never trained on
]
DEB = ["unicode-data=15.0.0-1", "unicode-cldr-core=41-0.1", "openclipart-svg=1:0.18+dfsg-19"]  # the last: public domain


def folder(name, version):
    """Where fetch unpacks a package: the name npm gives its archive."""
    return name.replace("@", "").replace("/", "-") + "-" + version


def main():
    cache = pathlib.Path(sys.argv[1])
    pkg, x = cache / "pkg", cache / "x"
    pkg.mkdir(parents=True, exist_ok=True)
    x.mkdir(exist_ok=True)
    for name, version, _ in NPM:
        f = folder(name, version)
        if not (pkg / (f + ".tgz")).exists():
            subprocess.run(["npm", "pack", "--silent", f"{name}@{version}"], cwd=pkg, check=True)
        if not (x / f).exists():
            (x / f).mkdir()
            subprocess.run(["tar", "xzf", pkg / (f + ".tgz"), "-C", x / f, "--strip-components=1"], check=True)
    for spec in DEB:
        name = spec.split("=")[0]
        if not list(pkg.glob(name + "_*.deb")):
            subprocess.run(["apt-get", "download", spec], cwd=pkg, check=True)
        if not (x / name).exists():
            subprocess.run(["dpkg-deb", "-x", next(pkg.glob(name + "_*.deb")), x / name], check=True)


if __name__ == "__main__":
    main()
