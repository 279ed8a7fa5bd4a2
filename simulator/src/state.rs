//! Everything that requests share. Knows no request.

use crate::clock::Clock;
use crate::guarded::Guarded;
use crate::ledger::Ledger;
use crate::tokens::Tokens;
use crate::trouble::Troubles;
use crate::world::World;

/// The simulator's memory. Each part has a lock of its own, and none is held while another is
/// taken.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) clock: Clock,
    pub(crate) ledger: Ledger,
    pub(crate) tokens: Guarded<Tokens>,
    pub(crate) troubles: Guarded<Troubles>,
    pub(crate) world: Guarded<World>,
}

impl State {
    pub(crate) fn new(world: World) -> Self {
        Self {
            clock: Clock::default(),
            ledger: Ledger::default(),
            tokens: Guarded::new(Tokens::lasting(world.token_lifetime)),
            troubles: Guarded::default(),
            world: Guarded::new(world),
        }
    }
}
