//! One message on its way, in one go or in two: to those who take it as it is, and, from the publisher's lane, to all others.
//!
//! In: what was made of the message for whom. Out: its delivery, and the counters. What is handed over is counted before anybody can
//! have it, and taken back if Zenoh refuses it: whoever has a message finds it in the publisher's counters.

use std::sync::Arc;

use rosidl_buffer_runtime::{EncodeErrorKind, Message};

use crate::{
    inbox::Inbox,
    key::Attachment,
    lane::Reader,
    later::later,
    ledger::{Late, Ledger},
    local::{Delivery, deliveries},
    parcel::Parcel,
    routes::{Router, Routes},
    stats::Fallback,
};

/// What is counted and kept while one message is handed over.
pub(crate) struct Sending<'a, M> {
    ledger: &'a Ledger,
    /// Whether the message is among those that were published.
    is_counted: bool,
    /// They may be the last ones to hold a queue, whose messages must not be dropped under the publisher's lock.
    inboxes: Vec<Arc<Inbox<M>>>,
    /// How often Zenoh refused it, and why the first time.
    refused: u64,
    refusal: Option<zenoh::Error>,
}

impl<'a, M: Message> Sending<'a, M> {
    /// `is_counted` says whether the message was among those published before.
    pub(crate) fn new(ledger: &'a Ledger, is_counted: bool) -> Self {
        Self {
            ledger,
            is_counted,
            inboxes: Vec::new(),
            refused: 0,
            refusal: None,
        }
    }

    /// Hands it to subscriptions of the context: before Zenoh, by which some may get it again.
    pub(crate) fn deliver(&mut self, deliveries: Vec<Delivery<M>>, attachment: &Attachment) {
        if deliveries.is_empty() {
            return;
        }
        let mut stats = self.ledger.stats();
        stats.published += u64::from(!std::mem::replace(&mut self.is_counted, true));
        for delivery in &deliveries {
            stats.intra_process += 1;
            if delivery.is_copied {
                stats.count_fallback(Fallback::NotAccepted);
            }
        }
        drop(stats);
        for Delivery { inbox, message, .. } in deliveries {
            inbox.deliver(message, attachment);
            self.inboxes.push(inbox);
        }
    }

    /// Hands it to Zenoh; `fallbacks` say why there are bytes among the parcels.
    pub(crate) fn put(
        &mut self,
        parcels: Vec<Parcel<'_>>,
        fallbacks: &[Fallback],
        attachment: &Attachment,
    ) {
        if parcels.is_empty() {
            return;
        }
        let has_bytes = parcels.iter().any(Parcel::is_bytes);
        let fallbacks = if has_bytes { fallbacks } else { &[] };
        let mut stats = self.ledger.stats();
        stats.published += u64::from(!self.is_counted);
        for reason in fallbacks {
            stats.count_fallback(*reason);
        }
        for parcel in &parcels {
            parcel.for_each_backend(|backend| stats.count_described(backend));
        }
        drop(stats);
        let (mut any, mut any_bytes) = (false, false);
        for parcel in parcels {
            let is_bytes = parcel.is_bytes();
            let not_left = |backend: &str| self.ledger.stats().discount_described(backend);
            match parcel.put(attachment, not_left) {
                Ok(()) => {
                    any = true;
                    any_bytes |= is_bytes;
                }
                Err(cause) => {
                    self.refused += 1;
                    self.refusal.get_or_insert(cause);
                }
            }
        }
        if has_bytes && !any_bytes {
            let mut stats = self.ledger.stats();
            for reason in fallbacks {
                stats.discount_fallback(*reason);
            }
        }
        if !any && !self.is_counted {
            self.ledger.stats().published -= 1;
        }
        self.is_counted |= any;
    }

    /// Whether somebody has it.
    pub(crate) fn is_counted(&self) -> bool {
        self.is_counted
    }

    /// Counts what was refused. The first refusal, if there is one, for the caller to say.
    pub(crate) fn finish(self) -> Option<zenoh::Error> {
        if self.refused > 0 {
            self.ledger.stats().refused += self.refused;
        }
        self.refusal
    }

    /// As [`finish`](Self::finish), for the next message to say.
    fn finish_late(self) {
        if let Some(cause) = self.refusal {
            self.ledger.late(Late::Refused(cause, self.refused));
        }
    }
}

/// What is left of a message when some have had it.
pub(crate) struct Rest<M> {
    pub(crate) message: M,
    /// The same as for those who had it.
    pub(crate) attachment: Attachment,
    pub(crate) routes: Arc<Routes<M>>,
    pub(crate) router: Arc<Router<M>>,
    pub(crate) ledger: Arc<Ledger>,
    pub(crate) had: Vec<Reader>,
    /// Whether it is among the messages that were published.
    pub(crate) is_counted: bool,
}

impl<M: Message> Rest<M> {
    /// Hands it to all others. What goes wrong is said with the next message.
    pub(crate) fn send(self) {
        let (routes, had) = (&*self.routes, self.had.as_slice());
        let mut sending = Sending::new(&self.ledger, self.is_counted);
        let (deliveries, uncopied) = deliveries(routes.inlets_but(had), &self.message);
        let uncopied = uncopied.map(|error| EncodeErrorKind::Buffer(error).into());
        sending.deliver(deliveries, &self.attachment);
        let out = routes.encode(&self.router, &self.message, had);
        self.ledger.say(&out.backend_errors);
        sending.put(out.parcels, &out.fallbacks, &self.attachment);
        if let Some(error) = out.error.or(uncopied) {
            self.ledger.late(Late::Encode(error));
        }
        let inboxes = std::mem::take(&mut sending.inboxes);
        sending.finish_late();
        // The publisher's lock may be held, where there is no lane.
        later(move || drop(inboxes));
    }
}
