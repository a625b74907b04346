"""Which opener takes which container."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from gate.secrets.archives import open_deb, open_script_zip, open_tar, open_zip
from gate.secrets.bytecode import open_pyc
from gate.secrets.compressed import compressed_opener, open_skippable
from gate.secrets.container import Kind, Opener
from gate.secrets.cpio import open_cpio
from gate.secrets.git_objects import open_git_object, open_git_pack, open_zlib
from gate.secrets.keystores import open_der_key, open_java_keystore, open_pkcs12
from gate.secrets.packages import open_rpm
from gate.secrets.unread import unread

OPENERS: Final[Mapping[Kind, Opener]] = {
    Kind.GZIP: compressed_opener(Kind.GZIP),
    Kind.ZSTD: compressed_opener(Kind.ZSTD),
    Kind.XZ: compressed_opener(Kind.XZ),
    Kind.BZIP2: compressed_opener(Kind.BZIP2),
    Kind.LZMA: compressed_opener(Kind.LZMA),
    Kind.LZ4: compressed_opener(Kind.LZ4),
    Kind.SKIPPABLE: open_skippable,
    Kind.ZIP: open_zip,
    Kind.SCRIPT_ZIP: open_script_zip,
    Kind.CPIO: open_cpio,
    Kind.RPM: open_rpm,
    Kind.TAR: open_tar,
    Kind.DEB: open_deb,
    Kind.PYC: open_pyc,
    Kind.GIT_OBJECT: open_git_object,
    Kind.GIT_PACK: open_git_pack,
    Kind.ZLIB: open_zlib,
    Kind.JAVA_KEYSTORE: open_java_keystore,
    Kind.PKCS12: open_pkcs12,
    Kind.DER_KEY: open_der_key,
    **{
        kind: unread(kind)
        for kind in (
            Kind.SEVEN_ZIP,
            Kind.RAR,
            Kind.CAB,
            Kind.MSI,
            Kind.OLD_LZ4,
            Kind.LZIP,
            Kind.LZOP,
            Kind.COMPRESS,
            Kind.SQUASHFS,
            Kind.XAR,
        )
    },
}
