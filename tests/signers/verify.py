"""Verifies TOKEN by KEY with PyJWT, as somebody's own server would, and prints what it says."""

import json
import os

import jwt

token = os.environ["TOKEN"]
claims = jwt.decode(
    token,
    os.environ["KEY"],
    algorithms=["HS256"],
    audience="postern-embed",
    issuer="postern",
    options={"require": ["sub", "jti", "iat", "exp", "gen"]},
)
print(json.dumps({"header": jwt.get_unverified_header(token), "claims": claims}))
