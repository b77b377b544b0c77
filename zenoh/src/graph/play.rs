//! Tokens as a stranger declares them, and what must be true of what is remembered; for fuzzing and tests.

use std::{collections::BTreeSet, sync::Arc};

use super::{
    limits::MAX_WARNINGS,
    state::{News, State},
    watch::Watched,
};
use crate::{
    key::{EntityKind, Gid},
    qos::QosProfile,
};

/// The memory of a graph, and beside it what it should be.
pub(crate) struct Tokens {
    state: State,
    remembered: BTreeSet<String>,
    warnings: usize,
}

impl Tokens {
    pub(crate) fn new() -> Self {
        let mut state = State::new(0, "a".to_owned());
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

    pub(crate) fn insert(&mut self, text: &str) {
        let ignored = self.state.ignored.total();
        let news = self.state.insert(text);
        let is_ignored = self.state.ignored.total() > ignored;
        assert!(!(news.changed && is_ignored), "{text:?}");
        assert!(
            is_ignored || news.changed || self.remembered.contains(text),
            "neither remembered nor counted: {text:?}"
        );
        if news.changed {
            assert!(self.remembered.insert(text.to_owned()), "twice: {text:?}");
        }
        self.check(&news);
    }

    pub(crate) fn remove(&mut self, text: &str) {
        let news = self.state.remove(text);
        assert_eq!(news.changed, self.remembered.remove(text), "{text:?}");
        self.check(&news);
    }

    /// One of those that are there.
    pub(crate) fn remove_one(&mut self, number: usize) {
        if let Some(text) = self.remembered.iter().nth(number).cloned() {
            self.remove(&text);
        }
    }

    /// Nothing stays behind.
    pub(crate) fn remove_all(&mut self) {
        while let Some(text) = self.remembered.first().cloned() {
            self.remove(&text);
        }
        assert!(self.state.is_empty(), "something stayed behind");
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
