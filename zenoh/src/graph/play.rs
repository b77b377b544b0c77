//! Tokens as a stranger declares them, and what must be true of what is remembered; for fuzzing and tests.

use std::{collections::BTreeSet, sync::Arc};

use super::{
    limits::MAX_WARNINGS,
    state::{News, State},
    watch::Watched,
};
use crate::{
    key::{EntityKind, Gid, Token},
    qos::QosProfile,
};

/// The session that is ours.
const OWN: &str = "a";

/// The memory of a graph, and beside it what it should be.
pub(crate) struct Tokens {
    state: State,
    remembered: BTreeSet<String>,
    warnings: usize,
}

impl Tokens {
    pub(crate) fn new() -> Self {
        let mut state = State::new(0, OWN.to_owned());
        for kind in [EntityKind::Publisher, EntityKind::Subscription] {
            let watched = Watched {
                kind,
                dds_type: "a::msg::dds_::B_".to_owned(),
                type_hash: "h".to_owned(),
                qos: QosProfile::default(),
            };
            let entry = (watched, Arc::new(|_| ()) as Arc<_>);
            state.change_watchers.insert("/t".to_owned(), entry);
        }
        Self {
            state,
            remembered: BTreeSet::new(),
            warnings: 0,
        }
    }

    /// As the network reports it.
    pub(crate) fn insert(&mut self, text: &str) {
        let ignored = self.state.ignored.total();
        let news = self.state.insert(text);
        self.inserted(text, &news, ignored);
    }

    /// As one of ours, if it says that it is.
    pub(crate) fn insert_own(&mut self, text: &str) {
        if !is_own(text) {
            return self.insert(text);
        }
        let ignored = self.state.ignored.total();
        let news = self.state.insert_own(text);
        self.inserted(text, &news, ignored);
    }

    fn inserted(&mut self, text: &str, news: &News, ignored: u64) {
        let is_ignored = self.state.ignored.total() > ignored;
        assert!(!(news.changed && is_ignored), "{text:?}");
        assert!(
            is_ignored || news.changed || self.remembered.contains(text),
            "neither remembered nor counted: {text:?}"
        );
        if news.changed {
            assert!(self.remembered.insert(text.to_owned()), "twice: {text:?}");
        }
        self.check(news);
    }

    /// As the network reports it.
    pub(crate) fn remove(&mut self, text: &str) {
        let news = self.state.remove(text);
        let expected = !is_own(text) && self.remembered.remove(text);
        assert_eq!(news.changed, expected, "{text:?}");
        self.check(&news);
    }

    /// One of those that are there.
    pub(crate) fn remove_one(&mut self, number: usize) {
        if let Some(text) = self.remembered.iter().nth(number).cloned() {
            self.end(&text);
        }
    }

    /// Nothing stays behind.
    pub(crate) fn remove_all(&mut self) {
        while let Some(text) = self.remembered.first().cloned() {
            self.end(&text);
        }
        assert!(self.state.is_empty(), "something stayed behind");
    }

    fn end(&mut self, text: &str) {
        if !is_own(text) {
            return self.remove(text);
        }
        let news = self.state.remove_own(text);
        assert_eq!(news.changed, self.remembered.remove(text), "{text:?}");
        self.check(&news);
    }

    fn check(&mut self, news: &News) {
        self.warnings += news.warnings.len();
        // One more: that there is an end to what is remembered.
        assert!(self.warnings <= MAX_WARNINGS + 1, "too many warnings");
        let kinds = [
            EntityKind::Publisher,
            EntityKind::Subscription,
            EntityKind::Service,
            EntityKind::Client,
        ];
        let mut gids = Vec::new();
        for kind in kinds {
            let all = self.state.names(kind).values();
            for known in all.flat_map(|endpoints| endpoints.like(kind)) {
                // Publishers and clients stand on one side, never in one map.
                assert_eq!(known.kind, kind);
                gids.push(known.gid);
            }
        }
        gids.sort_unstable();
        let mut expected: Vec<Gid> = self
            .remembered
            .iter()
            .filter(|text| !self.state.nodes.contains_key(text.as_str()))
            .map(|text| Gid::of_token(text))
            .collect();
        expected.sort_unstable();
        assert_eq!(gids, expected);
    }
}

fn is_own(text: &str) -> bool {
    text.parse::<Token>()
        .is_ok_and(|token| token.session_id == OWN)
}
