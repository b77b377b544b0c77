//! The tokens of this session's own nodes and endpoints.
//!
//! They are known here from the moment they are made until they are dropped, whatever the network says: anybody may declare
//! a copy of a token and take it back, and Zenoh then tells its owner that it is gone.

use std::sync::Arc;

use zenoh::{Session, Wait as _, liveliness::LivelinessToken};

use super::{GraphCache, Shared};
use crate::error::{Error, Result};

/// A token of ours, as long as this is held.
pub(crate) struct OwnToken {
    text: String,
    shared: Arc<Shared>,
    /// `None` only if it could not be declared.
    declared: Option<LivelinessToken>,
}

impl GraphCache {
    /// Tells others of `token`, which stands for the node or topic `name`.
    pub(crate) fn declare(&self, session: &Session, token: &str, name: &str) -> Result<OwnToken> {
        // Known before Zenoh reports it.
        self.shared.change(|state| state.insert_own(token));
        let mut own = OwnToken {
            text: token.to_owned(),
            shared: Arc::clone(&self.shared),
            declared: None,
        };
        let declared = session.liveliness().declare_token(token.to_owned()).wait();
        let declared = declared.map_err(|cause| Error::Declare {
            what: "the liveliness token",
            name: name.to_owned(),
            cause,
        })?;
        own.declared = Some(declared);
        Ok(own)
    }
}

impl Drop for OwnToken {
    fn drop(&mut self) {
        self.shared.change(|state| state.remove_own(&self.text));
        drop(self.declared.take());
    }
}
