"""Makes many tokens at once with Keystone's own code and keys; runs in its venv.

python mint.py USER_ID PROJECT_ID COUNT

Keystone keeps no list of its Fernet tokens: what is made here was issued by it, but for
the log-in, which takes longer than a thousand of these.
"""

import os
import sys

USER_ID, PROJECT_ID, COUNT = sys.argv[1], sys.argv[2], int(sys.argv[3])
# Keystone reads the command line of whichever process imports it.
del sys.argv[1:]

import keystone.server  # noqa: E402
from keystone.common.utils import isotime  # noqa: E402
from keystone.token.provider import (  # noqa: E402
    default_expire_time,
    random_urlsafe_str,
)
from keystone.token.token_formatters import (  # noqa: E402
    ProjectScopedPayload,
    TokenFormatter,
)


def main() -> None:
    """Print a token a line."""
    keystone.server.configure(config_files=[os.environ["OS_KEYSTONE_CONFIG_FILES"]])
    formatter = TokenFormatter()
    expires_at = isotime(default_expire_time(), subsecond=True)
    for _ in range(COUNT):
        token = formatter.create_token(
            USER_ID,
            expires_at,
            [random_urlsafe_str()],
            ProjectScopedPayload,
            methods=["password"],
            project_id=PROJECT_ID,
        )
        print(token)


if __name__ == "__main__":
    main()
