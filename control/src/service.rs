//! What every request has at hand.

use crate::archive::Archives;
use crate::clock::Clock;
use crate::data::DataPlane;
use crate::limit::Limit;
use crate::mail::Post;
use crate::password::Hasher;
use crate::product::Products;
use crate::replication::Replication;
use crate::store::Store;
use crate::store::share::Stored;
use shared::face::dashboard::manage::{ShareOut, TargetShareOut};
use shared::model::key::KeyRing;
use shared::model::share::{Share, ShareType};
use shared::model::token::Token;

/// One control plane.
pub struct Service {
    pub(crate) store: Store,
    pub(crate) ring: KeyRing,
    pub(crate) clock: Clock,
    /// Origin of share links, without a trailing slash.
    pub(crate) public_url: String,
    pub(crate) replication: Replication,
    pub(crate) archives: Archives,
    pub(crate) data: DataPlane,
    pub(crate) products: Products,
    pub(crate) limit: Limit,
    pub(crate) passwords: Hasher,
    pub(crate) mail: Post,
}

impl Service {
    /// The current token of a share and the page that it opens. `None` when the share is revoked, when
    /// the root key that made the token is gone, and for an embed or a context, which have many.
    pub(crate) fn link(&self, share: &Share) -> Option<(String, String)> {
        if share.revoked_at.is_some() || share.share_type != ShareType::Link {
            return None;
        }
        let keys = self.ring.epoch(&share.key_epoch)?;
        let token = Token::derive(keys, share.id, share.generation, &share.nonce);
        let url = format!("{}/share/{}", self.public_url, token.expose());
        Some((token.expose().to_owned(), url))
    }

    /// A share of a dashboard, as its owner sees it.
    pub(crate) fn share_out(&self, Stored { share, pending, usage }: &Stored) -> ShareOut {
        ShareOut::new(share, self.link(share), (*pending, usage), self.clock.now())
    }

    /// A share of anything, as its owner sees it.
    pub(crate) fn target_share_out(&self, Stored { share, pending, usage }: &Stored) -> TargetShareOut {
        TargetShareOut::new(share, self.link(share), (*pending, usage), self.clock.now())
    }
}
