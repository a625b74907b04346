"""Every reason code of the gate, declared once.

A code is stable: it is asserted by tests, kept in records and attestations, and looked up by users (`gate explain CODE`).
The class of a code decides the outcome of a check and the exit code (DESIGN, section 3). Codes that come from the table
of known attacks or from the format reference keep their names.
"""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from gate.model.reason import EXIT_CODES, Reason, ReasonClass
from gate.model.reason import error as _error
from gate.model.reason import fail as _fail
from gate.model.reason import internal as _internal
from gate.model.reason import usage as _usage

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["EXIT_CODES", "REASONS", "Reason", "ReasonClass"]

_REBUILD = "Build the image again with a builder that follows the OCI image specification, and push it."
_RETRY = "Try again; if it stays, ask the registry's operator."
_ASK_SIGNER = "Ask whoever signed the image to sign this digest again."
_CHECK_AGAIN = "Run `gate check` on this digest again under the policy that the stage demands."

_REFERENCES = (
    _fail("REF_NOT_DIGEST", "The reference names a tag, and a tag can be moved.",
          "Use `repository@sha256:...`; `gate resolve` prints the digest that the tag names now."),
    _error("REF_REFUSED", "Nothing was fetched, because the reference was refused.",
           "Mend the reference first; the check `reference` says how."),
    _fail("REF_MUTABLE", "A reference names a branch, a tag, a range or an address, and what stands there can change.",
          "Name the commit or the digest; `gate refs --fix` writes it where the place allows it."),
    _fail("REF_UNRESOLVED", "Only a run decides what is meant: a variable without a value, or a template.",
          "Write the reference out, give the variable a default in the file, or run `gate refs` on what the template renders."),
    _fail("REF_INVALID", "The text where a reference must stand is none.",
          "Write `registry/repository@sha256:...`, or for an action `OWNER/REPOSITORY@COMMIT`."),
    _error("REF_MOVED", "The registry named two digests for one tag within this run.",
           "Run it again when the tag is at rest, or write down the digest that `gate resolve` prints and you have checked."),
    _error("REF_COMMIT_UNKNOWN", "Whether the repository holds the commit could not be found out within the limits.",
           "Write the tag that names the commit as its comment: then one question answers it."),
    _error("REF_NOT_FIXED", "A change would alter more of the file than its references, so it was not made.",
           "Write the reference out by hand at the place that is named."),
    _fail("REF_COMMENT", "The comment names a tag that is not the commit that is pinned.",
          "Look at which of the two was meant; `gate refs --update` pins what the tag names now."),
    _fail("REF_FOREIGN_COMMIT", "No branch or tag of the repository holds the commit that is pinned: it may be of a fork.",
          "Pin a commit of the repository itself: name its tag, and run `gate refs --fix`."),
    _error("REF_FILE_MALFORMED", "A file is not what its name says, so its references are not known.",
           "Mend the file at the line that is named, or give `gate refs` only the paths that it shall judge."),
    _error("REF_FILE_UNREADABLE", "A file cannot be read, changed meanwhile, or is a link that leads out of the folder.",
           "Look at its permissions and where it leads, and run `gate refs` again."),
    _usage("REF_MALFORMED", "The text is not an image reference.",
           "Write `registry/repository@sha256:<64 hex>`, `oci:DIR`, `oci:DIR:TAG`, or `archive:FILE`."),
    _usage("REF_DIGEST", "The digest is not `sha256:` and 64 lower-case hexadecimal digits.",
           "Copy the whole digest that the registry or the builder printed."),
    _usage("REF_PATH", "There is nothing at the path that the reference names.",
           "Look at the path, which is relative to the working directory; `oci:DIR` is a folder, `archive:FILE` a file."),
    _fail("REF_REGISTRY", "The policy does not allow this registry or repository.",
          "Push the image to an allowed repository, or add it to `spec.references.registries`."),
    _usage("REF_AMBIGUOUS", "The layout or archive holds several images and none was chosen.",
           "Add `@sha256:...` of the image that is meant; in a layout its tag will do, `oci:DIR:TAG`."),
    _usage("REF_TAG", "The layout has no image of this tag.",
           "Name one of the tags that are there, or the image's digest: `oci:DIR@sha256:...`."),
    _usage("REF_NAME", "A layout or archive has no name to be attested under.",
           "Say under which repository it is judged: `--as registry/repository`."),
)

_ADMISSION = (
    _fail("ADM_MALFORMED", "The request for admission is not what `admission.k8s.io/v1` demands.",
          "Send the object again; if the API server sent it, look at its version and at what stands between it and the gate."),
    _fail("ADM_KIND", "Nothing is known of where an object of this kind names its images.",
          "Name apiVersion, kind and paths under `cluster.customResources`, or let the webhook's rules leave the kind out."),
    _fail("ADM_IMAGE_FIELD", "A container has no image, or a field that could be an image is not known.",
          "Name the image in the field that the Kubernetes API has for it."),
    _fail("LIMIT_IMAGES", "One object names more images than are judged in one request.",
          "Split the object; a pod of this size is a mistake or an attack."),
    _error("ADM_TIMEOUT", "The answer was not there before the API server's own time was over.",
           "Try again; raise `--deadline` and the webhook's `timeoutSeconds`, or look at the registry's answers."),
)

_IMAGES = (
    _fail("IMG_MALFORMED", "A manifest, index or configuration is not what the OCI specification demands.", _REBUILD),
    _error("IMG_UNREADABLE", "The layout or archive cannot be read, or a part of the image is not in it.",
           "Look at the path and its permissions; copy the image again, whole."),
    _error("IMG_BLOB_MISMATCH", "A blob in the layout or archive is not what its name says.", "Copy the image again."),
    _fail("IMG_AMBIGUOUS", "Two readers would see two different images in these bytes.", _REBUILD),
    _fail("IMG_MEDIA_TYPE", "The media type is not one of an image that can be judged.", _REBUILD),
    _fail("IMG_SIZE", "A descriptor's size is not the size of its bytes.", _REBUILD),
    _fail("IMG_DIFFID", "The configuration's diff_ids are not the digests of the uncompressed layers.", _REBUILD),
    _fail("IMG_LAYER_MALFORMED", "A layer is a malformed archive, or one that two readers would read differently.", _REBUILD),
    _fail("IMG_LAYER_UNSCANNABLE", "A layer is of a type that cannot be read: foreign, encrypted or unknown.", _REBUILD),
    _fail("IMG_PLATFORM_UNSCANNED", "A platform that the policy demands is not in the index.",
          "Build and push the image for every platform that the policy lists."),
    _fail("IMG_PKGDB_REMOVED", "A later layer removed the package database, so that scanners find nothing.",
          "Keep the package database in the image; do not delete it to make the image smaller."),
    _fail("IMG_CONFIG", "The image's configuration asks for something that the policy forbids.",
          "Remove the setting from the Dockerfile and build the image again."),
    _fail("IMG_USER_ROOT", "The image runs as root.", "Add `USER 10001` (a number) to the Dockerfile and build again."),
    _fail("IMG_USER_UNKNOWN", "The image's user cannot be mapped to a number by its own passwd file.",
          "Use a numeric `USER` in the Dockerfile and build again."),
    _fail("IMG_PORT", "The image exposes a port that the policy denies.", "Remove the `EXPOSE` line or the service."),
    _fail("IMG_LABEL", "The image carries a label that the policy denies.", "Remove the label and build again."),
    _fail("IMG_SETUID", "A setuid or setgid file, or one with file capabilities, is not on the policy's list.",
          "Remove the bit (`chmod a-s`) or add the path to `spec.image.setuid.allow`."),
    _fail("IMG_TOO_OLD", "The image is older than the policy allows.", "Build the image again and replace it."),
    _error("IMG_AGE_UNKNOWN", "The image does not say believably when it was made.",
           "Build it with a true `created` time, or sign it with a trusted timestamp."),
    _fail("IMG_REVISION", "The image does not say from which commit it was built.",
          "Set the label `org.opencontainers.image.revision` to the full commit in the build."),
    _fail("IMG_BASE", "The image is not built on an allowed base.", "Build on one of the bases of `spec.image.base`."),
)

_SCANS = (
    _error("SCAN_BINARY", "A scanner's binary is not one whose digest is pinned.",
           "Run `gate tools install`, or `gate tools list` to see what is pinned."),
    _error("SCAN_FAILED", "A scanner did not give a complete report.",
           "Look at the scanner's message; run `gate doctor`."),
    _error("SCAN_TIMEOUT", "A scanner took longer than it may.", "Raise `--timeout`, or give the machine more room."),
    _error("SCAN_TARGET_MISMATCH", "A scanner's report is about another image.",
           "Run again; if it stays, the scanner or its cache is not to be trusted: `gate tools verify`."),
    _error("SCAN_DB_STALE", "A vulnerability database is older than the policy allows, or from the future.",
           "Run `gate db update`."),
    _error("SCAN_CANARY", "A scanner did not find the planted canary vulnerability.",
           "The database or the binary is broken: `gate db update`, `gate tools verify`."),
    _fail("SCAN_OS_UNKNOWN", "The image's distribution is not known, or its files name several.",
          "Keep `/etc/os-release` of the base as it was; list a scratch image under `vulnerabilities.emptyBase`."),
    _error("SCAN_OS_UNCOVERED", "A database has no advisories for this release of the distribution.",
           "Update the databases, or move to a release that they cover."),
    _error("SCAN_ECOSYSTEM_UNCOVERED", "A database has no advisories at all for a language that is in the image.",
           "The database is not whole: `gate db update`."),
    _fail("SCAN_OS_EOL", "The distribution's release is no longer supported.", "Build on a supported release."),
    _fail("SCAN_NO_PACKAGES", "The image holds no packages that could be judged.",
          "Keep the package database; list a scratch image under `vulnerabilities.emptyBase`."),
    _error("SCAN_PKGDB_UNREADABLE", "The image's package database is in a form that the gate cannot read.",
           "Use a base whose package database is dpkg, apk, rpm (SQLite) or pacman."),
    _fail("SCAN_INCOMPLETE", "The scanners and the gate do not see the same packages.",
          "Look at the packages that differ; usually a package database was moved, linked or edited."),
    _fail("IMG_PKGDB_EDITED", "A later layer dropped or changed entries of the package database and left the packages' files.",
          "Remove or upgrade packages with the distribution's own tool, which takes the files along."),
    _fail("SCAN_PKGDB_FOREIGN", "A package database is of another kind than the image's distribution has.",
          "Copy files, not another image's database; accept its place under `coverage.accept` where it is known."),
    _fail("SCAN_REDIRECTED", "A file of the image makes a scanner ask about something else than the image.",
          "Remove the file, require grype beside trivy, or accept its place under `coverage.accept`."),
    _fail("SCAN_FORM_UNREAD", "The image holds packages in a form that no asked scanner looks up.",
          "Install them in a form that is looked up, accept the place under `coverage.accept`, or set `coverage.unread: warn`."),
    _fail("SCAN_SBOM_EMBEDDED", "The image carries an SBOM that could speak for packages.", "Remove it from the image."),
)

_FINDINGS = (
    _fail("VULN_FOUND", "A vulnerability is at or over the policy's threshold.",
          "Build the image again with the fixed version; where there is none, write a waiver that ends."),
    _fail("VULN_SEVERITY_UNKNOWN", "A vulnerability has no severity, and the policy counts that as its threshold.",
          "Wait for a rating, or set `vulnerabilities.unknownSeverity`."),
    _fail("VULN_KEV", "A vulnerability is known to be exploited.", "Build the image again with the fixed version now."),
    _fail("VULN_EPSS", "A vulnerability is likelier to be exploited than the policy allows.",
          "Build the image again with the fixed version."),
    _error("VULN_DATA_OLD", "The file of exploited vulnerabilities or of EPSS scores is older than the policy allows.",
           "Fetch the file again and pin it with `gate policy pin`."),
    _fail("VULN_DISAGREE", "The scanners do not agree, and the policy demands that they do.",
          "Look at the disagreements in the report and settle each by a waiver or a newer database."),
    _fail("SECRET_FOUND", "A file in the image holds a plaintext secret.",
          "Revoke the secret, remove it from every layer, and give it at run time instead."),
    _fail("SECRET_LAYER", "A layer holds a plaintext secret that a later layer hides.",
          "Revoke the secret; build so that it is never written into a layer (`RUN --mount=type=secret`)."),
    _fail("SECRET_CONFIG", "The image's configuration, its history, or what its build attached holds a plaintext secret.",
          "Revoke the secret; use a build secret instead of ARG or ENV."),
    _fail("SECRET_INCOMPLETE", "Something in the image could not be opened to look for secrets.",
          "Remove it, or set `secrets.unopened: ignore` and say why."),
    _fail("RULE_VIOLATED", "One of the policy's own rules does not hold.", "The rule's message says what to change."),
    _error("POL_EVAL", "One of the policy's own rules could not be evaluated to true or false.",
           "Mend the expression; `gate policy validate` shows it."),
)

_SIGNATURES = (
    _fail("SIG_MISSING", "The image digest has no signature.", "Sign it: `gate sign` or `cosign sign` in the build."),
    _fail("SIG_INVALID", "A signature does not verify over the bytes that it covers.", _ASK_SIGNER),
    _fail("SIG_MALFORMED", "A signature is not in any form that can be read.", _ASK_SIGNER),
    _fail("SIG_BUNDLE_VERSION", "The bundle is of a version that is not accepted here.", _ASK_SIGNER),
    _fail("SIG_NO_KEY_MATERIAL", "The bundle has neither certificate nor key hint.", _ASK_SIGNER),
    _fail("SIG_NO_SINGLE_MATCH", "No single signature meets all conditions of one entry of the policy.", _ASK_SIGNER),
    _fail("SIG_SUBJECT_MISMATCH", "The signature is about another digest.", _ASK_SIGNER),
    _fail("SIG_ALG", "The signature or key uses an algorithm that is not allowed.",
          "Sign with ECDSA P-256, P-384, P-521, Ed25519 or RSA of 2048 bits and more."),
    _fail("SIG_UNTRUSTED_CHAIN", "The certificate does not lead to a trusted authority.", _ASK_SIGNER),
    _fail("SIG_EXPIRED", "The key or certificate was not valid at the time of signing.", _ASK_SIGNER),
    _fail("SIG_CHAIN_TIME", "A certificate above the signer's was not valid at the time of signing.", _ASK_SIGNER),
    _fail("SIG_TIME_CONFLICT", "The verified times of one signature contradict each other.", _ASK_SIGNER),
    _fail("SIG_TLOG_INVALID", "A log entry or its promise does not verify.", _ASK_SIGNER),
    _fail("SIG_TLOG_MISMATCH", "A log entry belongs to another signature.", _ASK_SIGNER),
    _fail("SIG_TLOG_KIND", "A log entry is of a kind that is not accepted.", _ASK_SIGNER),
    _fail("SIG_INCLUSION", "The proof that the entry is in the log does not verify.", _ASK_SIGNER),
    _fail("SIG_THRESHOLD", "Fewer distinct logs or timestamp authorities vouch than the policy demands.", _ASK_SIGNER),
    _fail("SIG_NO_TRUSTED_TIME", "Nothing trusted says when the signature was made.", _ASK_SIGNER),
    _fail("SIG_TSA_UNTRUSTED", "A timestamp is not from a trusted authority, or not over this signature.", _ASK_SIGNER),
    _fail("SIG_SCT", "The certificate is not proven to be in a certificate transparency log.", _ASK_SIGNER),
    _fail("SIG_ANNOTATION", "The signature lacks an annotation that the policy demands.", _ASK_SIGNER),
    _fail("SIG_NO_RULE", "No entry of the policy's signature section matches this image.",
          "Add an entry for this repository to `spec.signature`."),
    _fail("ID_MISMATCH", "The signer is not one that is accepted here.", "Sign with the key or identity that the policy names."),
    _fail("ID_ISSUER", "The signer's identity comes from another issuer.", "Sign with an identity of the demanded issuer."),
    _fail("ID_WORKFLOW", "The signing workflow is not the demanded one.", "Sign in the workflow that the policy names."),
    _fail("ID_ENCODING", "The signer's identity is not plain ASCII.", "Sign with an identity that is written in ASCII."),
    _fail("ID_BUILDER", "The provenance names another builder.", "Build with the builder that the policy names."),
    _error("ROOT_EMPTY", "The trusted root has nothing of the kind that the policy demands.", "Run `gate trust show`."),
    _usage("ROOT_MALFORMED", "The trusted root cannot be read.", "Get the file again: `gate trust update`."),
    _error("ROOT_EXPIRED", "The trusted root is older than it may be.", "Run `gate trust update`."),
    _error("ROOT_MISSING", "There is no trusted root of this name.", "Run `gate trust update` or `gate trust import`."),
    _error("ROOT_SOURCE", "The trust root's repository cannot be asked.",
           "Try again; without a network the roots that are here stay in use: `gate trust show`."),
    _error("ROOT_ROLLBACK", "The trust root's repository serves an older state than one that was seen.",
           "Do not use this repository now; ask its operator."),
    _error("ROOT_THRESHOLD", "Metadata of the trust root is not signed by enough of its keys.",
           "Do not use this repository now; ask its operator."),
    _error("ROOT_PATH", "The trust root's repository names a file outside of its place.",
           "Do not use this repository; ask its operator."),
    _error("ROOT_METADATA", "The trust root's repository serves metadata that cannot be accepted.",
           "Do not use this repository now; ask its operator."),
    _error("ROOT_DIGEST", "A trusted root is not what its metadata or its digest says.",
           "Run `gate trust update` or import it again."),
)

_ATTESTATIONS = (
    _fail("ATT_MISSING", "No verdict of the gate is attached to this digest.", _CHECK_AGAIN),
    _fail("ATT_TYPE_MISSING", "Attestations are attached, and none is of the demanded type.", _CHECK_AGAIN),
    _fail("ATT_TYPE", "The statement or predicate type is not the demanded one.", _CHECK_AGAIN),
    _fail("ATT_PAYLOAD_TYPE", "The signed payload is not an in-toto statement.", _CHECK_AGAIN),
    _fail("ATT_MALFORMED", "The attestation is not in a form that can be read.", _CHECK_AGAIN),
    _fail("ATT_SIG_COUNT", "An envelope must carry exactly one signature.", _CHECK_AGAIN),
    _fail("ATT_BYTES", "The evidence is not the one that the verdict names.", _CHECK_AGAIN),
    _fail("ATT_SUBJECT", "The statement's subjects are not of the demanded form.", _CHECK_AGAIN),
    _fail("ATT_SUBJECT_MISMATCH", "The attestation is about another digest.", _CHECK_AGAIN),
    _fail("ATT_RESOURCE_MISMATCH", "The verdict was given for another repository.", _CHECK_AGAIN),
    _fail("ATT_POLICY_STALE", "The verdict was given under a policy that is not accepted here.", _CHECK_AGAIN),
    _fail("ATT_ENVIRONMENT", "The verdict was not given for this environment.",
          "Run `gate check` with `--environment` of this stage, or deploy where the verdict holds."),
    _fail("ATT_EXPIRED", "The verdict is older than this stage accepts.", _CHECK_AGAIN),
    _fail("ATT_VERDICT_FAIL", "The verdict says FAILED.", "Look at its evidence, mend the image, build and check again."),
    _fail("ATT_NEWER_FAIL", "A newer verdict on the same digest and policy says FAILED.",
          "Look at that verdict's evidence; replace the image, or roll back to the last known-good digest."),
    _fail("ATT_CONFLICT", "Two verdicts contradict each other and cannot be ordered in time.", _CHECK_AGAIN),
    _fail("PROV_MISSING", "No provenance is attached to this digest.", "Let the build attach SLSA provenance."),
    _fail("PROV_MISMATCH", "The provenance does not say what the policy demands.", "Build from the demanded source."),
)

_REGISTRIES = (
    _error("REG_UNREACHABLE", "The registry cannot be reached.", "Look at the network and the registry's name; `gate doctor`."),
    _error("REG_TIMEOUT", "The registry did not answer in time.", "Try again, or raise `--timeout`."),
    _error("REG_AUTH", "The registry wants credentials, or refuses the ones that were given.",
           "Log in (`docker login`, `podman login`) or give `--authfile`."),
    _error("REG_DENIED", "The registry denies access to this repository.", "Ask for read access to the repository."),
    _error("REG_NOT_FOUND", "The registry does not have this repository or digest.",
           "Look at the reference; a private registry may hide what you may not read."),
    _error("REG_RATE_LIMIT", "The registry limits the rate of requests.", "Wait, log in, or use a mirror."),
    _error("REG_ERROR", "The registry failed to answer the request.", _RETRY),
    _error("REG_MALFORMED", "The registry's answer is not what the distribution specification says.", _RETRY),
    _error("REG_WITHHELD", "An attachment is listed that could be a FAILED verdict, and it cannot be read.",
           "Put the listed manifest or blob back, or take its entry out of the list (the index under the tag "
           "`sha256-DIGEST`), and check the image again."),
    _error("REG_DIGEST_MISMATCH", "The registry served other bytes than the digest names.",
           "Do not deploy from this registry; ask its operator."),
    _error("REG_AUTH_LEAK", "The registry asked for credentials to be sent to another host.",
           "Do not use this registry, or name its token service as trusted."),
    _error("REG_SSRF", "The registry pointed at an address that it must not point at.", "Do not use this registry."),
    _error("REG_INSECURE", "The registry speaks plain HTTP.", "Use HTTPS; for your own test registry give `--plain-http`."),
    _error("REG_TLS", "The registry's certificate does not verify.", "Give the authority's certificate with `--ca-file`."),
    _error("REG_PUSH", "The registry did not take what was pushed.", "Ask for write access to the repository."),
    _error("REG_READ_BACK", "What was pushed does not read back as it was.", "The verdict is recorded: run the command again."),
    _error("REG_FULL", "The digest has as many verdicts as a deploy stage looks at.",
           "Remove superseded ones with `gate attest prune` in a registry that deletes, or name another place: --attach-to."),
    _error("REG_OFFLINE", "A registry was needed and `--offline` forbids it.", "Use a layout, an archive or the cache."),
    _error("LIMIT_FILE", "A file that may hold references is too large to be read.",
           "Split the file, or give `gate refs` only the paths that it shall judge."),
    _error("LIMIT_RESPONSE", "The registry's answer is larger than it may be.", _RETRY),
    _error("LIMIT_PAGES", "The registry's listing does not end.", _RETRY),
)

_LIMITS = (
    _fail("LIMIT_INDEX", "The index has more children, or is nested deeper, than allowed.", "Build a smaller index."),
    _fail("LIMIT_LAYER", "A layer is larger, or compresses more, than the policy allows.",
          "Make the image smaller, or raise `spec.limits`."),
    _fail("LIMIT_BLOB", "A blob is larger than allowed.", "Make the image smaller, or raise `spec.limits`."),
    _fail("LIMIT_BUNDLE", "A bundle is larger, or has more entries, than allowed.", _ASK_SIGNER),
    _fail("LIMIT_SIGNATURES", "More attachments hang on this digest than are looked at.",
          "Remove superseded signatures and attestations from the repository."),
    _error("LIMIT_DOCUMENT", "An attested document cannot be validated within its limits of time and memory.",
           "Attest a smaller document (packages without their files), or check again on a machine that is less busy."),
)

_POLICIES = (
    _usage("POL_MALFORMED", "The policy or requirement cannot be read.", "Mend the place that is named; `gate policy validate`."),
    _usage("POL_UNKNOWN_KEY", "The policy has a key that does not exist.", "Use the nearest right word; `gate policy schema`."),
    _usage("POL_DUPLICATE_KEY", "The policy gives one key twice.", "Keep one of the two."),
    _usage("POL_EMPTY", "The policy asks for no check at all.", "Start from `gate policy init`."),
    _usage("POL_EXPIRED", "The policy's own end has passed.", "Review the policy and move `metadata.expires`."),
    _usage("POL_REGEX", "An identity pattern is not one that can be anchored and trusted.",
           "Escape dots, name the issuer literally, keep the pattern within the allowed syntax."),
    _usage("POL_ISSUER_REQUIRED", "An identity is given without its issuer.", "Name the issuer."),
    _usage("POL_EMPTY_IDENTITY", "A list of signers or an identity is empty.", "Name at least one signer."),
    _usage("POL_WAIVER", "A waiver is not complete, or ends too late.", "Fill in every field; end it within the allowed time."),
    _usage("POL_UNPINNED", "A file that the policy points to is not pinned by digest, so no verdict can be signed.",
           "Run `gate policy pin`."),
    _usage("POL_FILE", "A file that the policy points to is missing or has another digest.",
           "Put the right file there, or run `gate policy pin` after a review."),
    _usage("POL_UNTRUSTED", "The policy may not be read from there.", "Name the policy with `--policy` or `--config`."),
    _error("POL_SUPPRESSED", "A scanner left findings out on its own.", "Remove suppression files; run `gate tools verify`."),
    _error("POL_TIME", "The clock and the evidence's times contradict each other.", "Set the machine's clock; `gate doctor`."),
    _error("POL_VEX_UNTRUSTED", "A VEX document is not from an author that the policy names.",
           "Pin the file by digest in the policy, or sign it with a named key."),
    _usage("KEY_MALFORMED", "The key file cannot be read.", "Give a PEM key; `gate keys generate` makes a pair."),
    _usage("KEY_PASSWORD", "The key's password is wrong or missing.", "Set `GATE_KEY_PASSWORD`."),
    _usage("KEY_WEAK", "The key is of a kind that is not accepted.", "Use ECDSA P-256: `gate keys generate`."),
    _usage("KEY_URI", "The key URI is malformed, or names no single key.", "Look at docs/signing.md for the form of each URI."),
    _usage("KEY_UNSUPPORTED", "Keys at this place cannot be used by this installation.",
           "Install the extra that the message names."),
    _error("KEY_SERVICE", "The service or device that holds the key cannot sign with it.",
           "Look at its permissions and its address; docs/signing.md."),
    _usage("KEY_TOKEN", "There is no identity token, or it is not one that Sigstore takes.",
           "Let the job ask for one (GitHub: `permissions: id-token: write`; GitLab: `id_tokens`), or see docs/trust.md."),
    _error("KEY_SIGSTORE", "A service of the Sigstore instance did not do its part, so nothing was signed.",
           "Try again; look at the signing configuration: `gate trust show`."),
    _usage("KEY_EXISTS", "A key file is already there and is not overwritten.", "Choose another name or remove it yourself."),
    _usage("USAGE", "The command line makes no sense.", "Look at the help of the command: add `--help`."),
)

_STORAGE = (
    _error("DB_MISSING", "A vulnerability database is not there.", "Run `gate db update` or `gate db import`."),
    _error("DB_MALFORMED", "A vulnerability database cannot be read.", "Run `gate db update` or `gate db import`."),
    _error("DB_DIGEST", "A vulnerability database is not what was imported.", "Run `gate db update` or `gate db import`."),
    _error("DB_SOURCE", "A vulnerability database cannot be fetched.", "Try again, or name a mirror: `gate db update --help`."),
    _error("STORE_UNAVAILABLE", "The record cannot be written or read.", "Look at the disk and at `--record`; `gate doctor`."),
    _error("STORE_CORRUPT", "The record holds something that it cannot have written.", "Keep the file and restore a copy."),
    _error("STORE_SCHEMA", "The record has another form than this release reads.",
           "Let the owner of the record run `gate record migrate`, or name another record with `--record`."),
    _error("STORE_NO_EVIDENCE", "The evidence of this verdict was not kept, so it cannot be decided again.",
           "Run `gate check` on the image: its evidence is kept then."),
    _usage("STORE_NO_ROW", "The record has no row of this number, or none about this digest.",
           "Look at `gate audit list`, and at which record `--record` names."),
    _usage("STORE_NO_CHECKPOINT", "The record has no checkpoint over this row yet.", "Run `gate audit checkpoint`."),
    _error("STORE_NO_TILES", "A row is larger than an entry of tlog-tiles may be.",
           "Export the record as lines, `gate audit export FILE`: they are verified alike."),
    _error("EVIDENCE_NOT_COLLECTED", "The policy asks for evidence that was not collected for this verdict.",
           "Run `gate check` on the image under this policy, which collects it."),
    _error("CACHE_UNAVAILABLE", "The cache cannot be written.", "Look at the disk and its permissions; give `--cache-dir`."),
    _error("CACHE_CORRUPT", "A cached blob is damaged.", "It was removed; run the command again."),
    _error("OUT_WRITE", "An output file cannot be written.", "Look at the disk and the directory's permissions."),
    _error("TOOL_SOURCE", "A tool cannot be fetched or built.", "See `gate tools list` for the ways that are open."),
    _error("TOOL_SIGNATURE", "A tool's release has no signature that verifies.",
           "Do not use these files; name another mirror, or build it."),
    _error("TOOL_PUBLISHER", "A tool's release is signed by somebody else than its publisher.",
           "Do not use these files; name another mirror, or build it."),
    _error("TOOL_CHECKSUM", "A tool's release is not the file that its publisher signed.",
           "Do not use this file; name another mirror, or build it."),
    _internal("INTERNAL", "The gate has a defect.", "Report it with the message; nothing was attested."),
)

REASONS: Mapping[str, Reason] = MappingProxyType(
    {
        reason.code: reason
        for group in (
            _ADMISSION, _REFERENCES, _IMAGES, _SCANS, _FINDINGS, _SIGNATURES, _ATTESTATIONS, _REGISTRIES, _LIMITS, _POLICIES,
            _STORAGE,
        )
        for reason in group
    }
)


def reason(code: str) -> Reason:
    """Return the reason with this code.

    Raises:
        KeyError: the code is not declared, which is a defect of whoever used it.
    """
    return REASONS[code]
