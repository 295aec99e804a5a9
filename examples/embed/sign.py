"""Prints a token for an embed: pip install PyJWT, then python sign.py. README.md tells the environment."""

import os
import time
import uuid

import jwt

now = int(time.time())
claims = {
    "aud": "postern-embed",
    "sub": os.environ["POSTERN_DASHBOARD"],
    "jti": str(uuid.uuid4()),
    "iat": now,
    "exp": now + 600,
    "gen": int(os.environ.get("POSTERN_GENERATION", "1")),
    "origins": ["http://localhost:8790"],
}
key, kid = os.environ["POSTERN_EMBED_KEY"], os.environ["POSTERN_EMBED_KID"]
print(jwt.encode(claims, key, algorithm="HS256", headers={"kid": kid}))
