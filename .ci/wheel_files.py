"""Checks that wheels hold the same files, and no others than those of the package: wheel_files.py TRACKED WHEEL WHEEL.

TRACKED lists the files of ``lstm_jax`` and ``configs`` that git knows.
"""

import sys
import zipfile
from pathlib import Path

tracked, *wheels = map(Path, sys.argv[1:])
found = [{each.filename: each.CRC for each in zipfile.ZipFile(wheel).infolist()} for wheel in wheels]
differing = {name for name in found[0].keys() | found[1].keys() if found[0].get(name) != found[1].get(name)}
# The link lstm_jax/configs is tracked as a file.
names = set(tracked.read_text(encoding="utf-8").splitlines()) - {"lstm_jax/configs"}
wanted = {f"lstm_jax/{name}" if name.startswith("configs/") else name for name in names}
held = {name for name in found[0] if ".dist-info/" not in name}
if differing or held != wanted:
    print(f"the wheels differ in {sorted(differing)}; they lack {sorted(wanted - held)}", file=sys.stderr)
    sys.exit(f"they hold {sorted(held - wanted)}, which git does not know as files of the package")
print(f"wheel: {len(held)} files, the same from the checkout and from the sdist")
