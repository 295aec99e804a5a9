//! Prints a token for an embed, with `base64`, `hmac`, `serde_json`, `sha2` and `uuid`. README.md tells the
//! environment.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD as BASE64};
use hmac::{Hmac, KeyInit, Mac};
use serde_json::json;
use std::env::var;
use std::time::{SystemTime, UNIX_EPOCH};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs();
    let header = json!({"alg": "HS256", "typ": "JWT", "kid": var("POSTERN_EMBED_KID")?});
    let claims = json!({
        "aud": "postern-embed",
        "sub": var("POSTERN_DASHBOARD")?,
        "jti": uuid::Uuid::now_v7(),
        "iat": now,
        "exp": now + 600,
        "gen": var("POSTERN_GENERATION").unwrap_or("1".into()).parse::<u64>()?,
        "origins": ["http://localhost:8790"],
    });
    let text = format!("{}.{}", BASE64.encode(header.to_string()), BASE64.encode(claims.to_string()));
    let mut mac = Hmac::<sha2::Sha256>::new_from_slice(var("POSTERN_EMBED_KEY")?.as_bytes())?;
    mac.update(text.as_bytes());
    println!("{text}.{}", BASE64.encode(mac.finalize().into_bytes()));
    Ok(())
}
