//! What both kinds of hosts do with a model.

use std::io::Cursor;

use eyespot_nn::host::{Header, Host, Level};
use eyespot_nn::{Model, Network};

/// Loads and runs a model, from memory and from a file, unless it is a large one. A file gives the same error as its bytes.
pub fn load_and_run(bytes: &[u8]) {
    let mut file = Cursor::new(bytes);
    let header = Header::read(&mut file);
    let loaded = Model::load(bytes);
    let (Ok(model), Ok(header)) = (loaded, &header) else {
        return assert_eq!(loaded.is_ok(), header.as_ref().is_ok_and(|header| header.description().is_ok()));
    };
    if model.arena_bytes() > 1 << 16 || model.info().macs > 1 << 22 || model.layers().count() > 64 {
        return;
    }
    for make in [Network::new, Network::plain] {
        make(model, vec![0_u64; model.arena_bytes().div_ceil(8)]).expect("the arena is large enough").run();
    }
    for level in [Level::all().next(), Some(Level::best())].into_iter().flatten() {
        let network = Network::from_file(header, &mut file, Host { threads: 1, level });
        network.expect("the file has not changed").run();
    }
}
