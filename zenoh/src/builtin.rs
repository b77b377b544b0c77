//! What a node has by itself: `/rosout`, `/parameter_events`, simulated time and the services for its parameters.
//!
//! It goes with the last handle of the user's. All of it holds the node without it, or nobody would ever be the last; the parameters, which
//! outlive it, hold it weakly. Names are remapped as the user's are.

use std::sync::{Arc, Weak};

use rosidl_buffer_interfaces::rcl_interfaces::msg;

use crate::{
    error::Result,
    node::Node,
    parameters::{Changes, ParameterServices, USE_SIM_TIME, event},
    publisher::Publisher,
    qos::QosProfile,
    rosout::{self, Rosout},
    service::BuiltinService,
    sim_time::SimTime,
    type_descriptions::{self, GetTypeDescription},
};

/// Which of it a node shall have; by default all.
#[derive(Debug, Clone, Copy)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each can be turned off by itself"
)]
pub(crate) struct Wanted {
    pub(crate) type_descriptions: bool,
    pub(crate) rosout: bool,
    pub(crate) parameter_services: bool,
    pub(crate) parameter_events: bool,
}

impl Default for Wanted {
    fn default() -> Self {
        Self {
            type_descriptions: true,
            rosout: true,
            parameter_services: true,
            parameter_events: true,
        }
    }
}

pub(crate) struct Builtin {
    rosout: Option<Arc<Rosout>>,
    // Not more than these two are held while parameters change: dropping them waits for nobody who wants to change some.
    _parameter_events: Option<Arc<Publisher<msg::ParameterEvent>>>,
    _sim_time: Arc<SimTime>,
    _type_descriptions: Option<BuiltinService<GetTypeDescription>>,
    _parameter_services: Option<ParameterServices>,
}

impl Builtin {
    /// Starts what is wanted, for a node that has nothing of it yet.
    pub(crate) fn start(bare: &Node, wanted: Wanted) -> Result<Self> {
        let rosout = || bare.create_publisher(rosout::TOPIC, QosProfile::rosout());
        let rosout = wanted.rosout.then(rosout).transpose()?;
        let events = || bare.create_publisher(event::TOPIC, QosProfile::parameter_events());
        let events = wanted.parameter_events.then(events).transpose()?;
        let events = events.map(Arc::new);
        let sim_time = Arc::new(SimTime::new(bare));
        let to_publish = events.as_ref().map(Arc::downgrade);
        let to_switch = Arc::downgrade(&sim_time);
        bare.parameters().when_changed(move |changes| {
            switch_time(&to_switch, changes);
            if let Some(publisher) = to_publish.as_ref().and_then(Weak::upgrade) {
                event::publish(&publisher, changes);
            }
        });
        bare.declare_parameter::<bool>(USE_SIM_TIME)
            .default(false)
            .mandatory()?;
        let described = || type_descriptions::serve(bare);
        let described = wanted.type_descriptions.then(described);
        let served = || ParameterServices::new(bare);
        let served = wanted.parameter_services.then(served);
        Ok(Self {
            rosout: rosout.map(Rosout::new).map(Arc::new),
            _parameter_events: events,
            _sim_time: sim_time,
            _type_descriptions: described.transpose()?,
            _parameter_services: served.transpose()?,
        })
    }

    pub(crate) fn rosout(&self) -> Weak<Rosout> {
        self.rosout.as_ref().map(Arc::downgrade).unwrap_or_default()
    }
}

fn switch_time(sim_time: &Weak<SimTime>, changes: &Changes) {
    if let Some(on) = changes.bool_of(USE_SIM_TIME)
        && let Some(sim_time) = sim_time.upgrade()
    {
        sim_time.switch(on);
    }
}
