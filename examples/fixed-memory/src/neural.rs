//! The same pipeline with a network that looks at the frame window by window.

use eyespot_nn::{Network, NnPredictor, NnStorage};
use eyespot_window::{SlidingWindow, Tiles};
use spotter::{ARENA_WORDS, LABELS, SIDE};
use static_cell::ConstStaticCell;

use crate::{Motion, RAM, SetupError};

/// Boxes of a window before suppression: one for each cell.
const CANDIDATES: usize = 36;

type Arena = [u64; ARENA_WORDS];
type Storage = NnStorage<SIDE, CANDIDATES>;
/// Finds people, cars and balls in windows of 96 x 96 pixels.
pub type Spotter =
    SlidingWindow<NnPredictor<'static, &'static mut [u64], &'static mut Storage, SIDE, CANDIDATES>>;

static ARENA: ConstStaticCell<Arena> = ConstStaticCell::new([0; ARENA_WORDS]);
static STORAGE: ConstStaticCell<Storage> = ConstStaticCell::new(Storage::new());

/// Bytes of the statics of the pipeline with the network in place of the motion predictor.
pub const NEURAL_RAM: usize = RAM - Motion::RAM + ARENA_WORDS * 8 + Storage::RAM;

/// The predictor that knows people, cars and balls. Call it once.
///
/// # Errors
/// [`SetupError`] says what is wrong.
pub fn spotter() -> Result<Spotter, SetupError> {
    let (Some(arena), Some(storage)) = (ARENA.try_take(), STORAGE.try_take()) else {
        return Err(SetupError::Taken);
    };
    let model = spotter::model().map_err(|_| SetupError::Predictor)?;
    let network = Network::new(model, &mut arena[..]).map_err(|_| SetupError::Predictor)?;
    let predictor = NnPredictor::new(network, storage, LABELS).map_err(|_| SetupError::Predictor)?;
    Ok(SlidingWindow::new(predictor, Tiles::of_model()))
}
