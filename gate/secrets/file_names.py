"""What the name of a file says of it: settings, a secret that is a file of its own, or a text for readers.

A name takes no finding away: it says which forms are looked for besides, and how sure a finding is (attack X03). A copy, a
template or a disabled file is read as what it is one of. Specification: checks reference, section 8.4; FHS 3.0.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

from gate.secrets.names import kind_of

# Files whose form alone says what is a password; no word of one stands in them.
_FORM_ALONE = re.compile(r"(?:^|/)(?:\.?pgpass(?:\.conf)?|[._]netrc)$")
# What copies, templates and packages put behind a name.
_BEHIND = re.compile(
    r"(?:~|\.(?:bak|backup|back|old|orig|original|org|save|saved|sav|copy|tmp|temp|dist|default|defaults|sample|example|"
    r"tmpl|tpl|template|in|j2|jinja2?|erb|ctmpl|gotmpl|mustache|hbs|ejs|epp|dpkg-[a-z]{3,6}|rpm(?:save|new|orig)|"
    r"ucf-[a-z]{3,6}|pacnew|pacsave|"
    r"disabled|enabled|off|swp|rej|mine|(?:bak|old|orig|save|backup)\.[0-9]|[0-9]{2,14}|[0-9]{4}-[0-9]{2}-[0-9]{2})|[-_](?:old|orig|backup|bak|copy|"
    r"[0-9]{8,14})|[ ]copy)$",
    re.IGNORECASE,
)
_MAX_BEHIND: Final = 4
_CONFIGURATION = re.compile(
    r"(?:^|/)(?:\.?env(?:\.[^/]*)?|[^/]*[.-]env|\.envrc|[^/]*\.(?:properties|sls|ini|cfg|conf|cnf|config|toml|ya?ml|"
    r"json[c5]?|tfvars|tfstate|xml|"
    r"plist|hcl|nomad|pkr|rc|settings|secrets?|credentials|creds|mk|mak|service|socket|timer|mount|network|netdev|nmconnection|"
    r"ovpn|reg|inf|rdp|ldif|inventory|mount|kdl|ron|cue|pkl|textproto|pbtxt|prefs|opts|options|vars|envvars|auth|"
    r"token|key|passwd|"
    r"password|local|jaas|bicepparam|udl|dsn|psql|myclirc)|\.?[a-z]{0,20}rc|\.npmrc|\.yarnrc|\.pypirc|\.my\.cnf|"
    r"\.s3cfg|\.boto|\.gitconfig|"
    r"\.git/config|credentials|config|settings|secrets?|passwords?|\.netrc|_netrc|\.pgpass|\.dockercfg|"
    r"wp-config[^/]*\.php|config[^/]*\.php|"
    r"settings[^/]*\.py|local_settings\.py|config\.(?:py|rb|js|ts)|\.(?:ba|z|k)?sh(?:rc|_profile|env|_login)|\.(?:ba|"
    r"z|a|k)?sh_history|"
    r"\.[a-z]{2,12}_history|\.profile|\.bash_aliases|environment|[Dd]ockerfile[^/]*|[^/]*\.dockerfile|"
    r"[Cc]ontainerfile[^/]*|docker-compose[^/]*|"
    r"(?:gnu)?makefile[^/]*|justfile|taskfile|procfile|jenkinsfile[^/]*|vagrantfile|earthfile|tiltfile|fastfile|"
    r"appfile|matchfile|"
    r"caddyfile|kickstart|ks|preseed|answers?|crontabs?|hosts\.equiv|ansible_hosts|inventory|fstab|sudoers|pam_ldap|"
    r"main\.cf|master\.cf|"
    r"sasl_passwd|ldap\.secret|nslcd)$"
    r"|(?:^|/)etc/(?:default|sysconfig|conf\.d|environment\.d|cron\.(?:d|daily|hourly|weekly|monthly)|init\.d|rc\.d|"
    r"profile\.d|ppp|wireguard|"
    r"ipsec\.d|swanctl|openvpn|network|netplan|sysconfig/network-scripts|exim4|postfix|dovecot|apache2|httpd|nginx|"
    r"haproxy)/(?:[^/]+/)*[^/.]+$"
    r"|(?:^|/)(?:group_vars|host_vars|inventor(?:y|ies))/(?:[^/]+/)*[^/.]+$|(?:^|/)\.(?:aws|azure|kube|docker|ssh|"
    r"config|s3|oci|chef|cargo|"
    r"gem|bundle|m2|gradle|terraform\.d)/(?:[^/]+/)*[^/.]+$|(?:^|/)(?:default|defaults|sysconfig)/[^/.]+$",
    re.IGNORECASE,
)
# Where each file is a secret by itself: containers' secrets, projected volumes, systemd's credentials.
_SECRET_FOLDERS = re.compile(
    r"(?:^|/)(?:run|var/run|etc|mnt|var/lib/app)/(?:secrets?|credentials|credstore(?:\.encrypted)?)(?:-store)?/(?:[^/]+/)*[^/]+$"
)
_TEXT_ENDING = re.compile(
    r"\.(?:txt|text|secret|key|token|pass|pw|pwd|password|dat|value|conf|cfg|asc)$", re.IGNORECASE
)
# Texts for readers and for translators, whose passwords are often words about passwords: what is found there can be less sure.
_FOR_READERS = re.compile(
    r"\.(?:md|markdown|rst|adoc|html?|txt|po|pot|mo|[1-9]|tex|texi|info|css|svg|csv|lock|sum|d\.ts|map)$", re.IGNORECASE
)
_FOR_TRANSLATORS = re.compile(
    r"(?:^|/)(?:locales?|i18n|lang|l10n|translations?|man\d?|schemas?)/|(?:^|/)(?:messages|strings)[^/]*\."
    r"|[/._-][a-z]{2}[-_][A-Za-z]{2}\.[a-z]{2,10}$",
    re.IGNORECASE,
)

# For the digest of the rules.
FILE_NAME_TEXTS: Final = tuple(
    one.pattern
    for one in (_FORM_ALONE, _BEHIND, _CONFIGURATION, _SECRET_FOLDERS, _TEXT_ENDING, _FOR_READERS, _FOR_TRANSLATORS)
)


@lru_cache(maxsize=4096)
def plain_name(path: str) -> str:
    """Return the path without what a copy or a template has behind its name: `app.yml.bak`, `.env.j2`, `my.cnf.dpkg-old`."""
    for _ in range(_MAX_BEHIND):
        shorter = _BEHIND.sub("", path)
        if shorter == path or not shorter.rpartition("/")[2]:
            break
        path = shorter
    return path


@lru_cache(maxsize=4096)
def is_configuration(path: str) -> bool:
    """Say whether a file of this name holds settings, so that even a weak password in it is a secret."""
    return bool(_CONFIGURATION.search(path) or _CONFIGURATION.search(plain_name(path)))


def is_settings_by_form(path: str) -> bool:
    """Say whether a file of this name holds passwords without naming them."""
    return bool(_FORM_ALONE.search(plain_name(path))) or name_of_secret_file(path) is not None


@lru_cache(maxsize=4096)
def name_of_secret_file(path: str) -> str | None:
    """Return the name that says what the whole content of a file is; None where it is not a secret by itself."""
    name = path.rpartition("/")[2]
    stem = _TEXT_ENDING.sub("", name)
    if "." not in stem.lstrip(".") and kind_of(stem) is not None:
        return stem
    # What no name tells must look random: user names and name spaces are mounted there as well.
    return "secret" if _SECRET_FOLDERS.search(path) else None


def is_for_readers(path: str) -> bool:
    """Say whether a file of this name is documentation, a page, or a list that tools write."""
    return bool(_FOR_READERS.search(path))


def is_for_translators(path: str) -> bool:
    """Say whether a file of this name may hold words in several languages, or say of what form settings are."""
    return bool(_FOR_TRANSLATORS.search(path))
