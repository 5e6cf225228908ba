#![no_main]

use arbitrary::Arbitrary;
use eyespot_serve::Limits;
use eyespot_serve::fuzzing::multipart;
use libfuzzer_sys::fuzz_target;
use tokio::runtime::Runtime;

#[derive(Arbitrary, Debug)]
struct Input {
    /// Any body.
    noise: Vec<u8>,
    /// What a client would send.
    files: Vec<(String, Vec<u8>)>,
    state: Option<Vec<u8>>,
    /// Sizes of the pieces in which both arrive.
    pieces: Vec<u8>,
}

const BOUNDARY: &str = "x-boundary-x";

thread_local! {
    static RUNTIME: Runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
}

fn in_pieces(bytes: &[u8], sizes: &[u8]) -> Vec<Vec<u8>> {
    let mut sizes = sizes.iter().map(|size| usize::from(*size).max(1)).chain(std::iter::repeat(usize::MAX));
    let (mut pieces, mut rest) = (Vec::new(), bytes);
    while !rest.is_empty() {
        let (piece, after) = rest.split_at(sizes.next().unwrap().min(rest.len()));
        pieces.push(piece.to_vec());
        rest = after;
    }
    pieces
}

fn read(body: &[u8], sizes: &[u8]) -> Result<Vec<(String, Vec<u8>)>, u16> {
    let mut limits = Limits::default();
    (limits.upload_bytes, limits.stored_bytes, limits.files) = (1 << 16, 1 << 16, 20);
    let content_type = format!("multipart/form-data; boundary={BOUNDARY}");
    let (read, left) =
        RUNTIME.with(|runtime| runtime.block_on(multipart(&limits, &content_type, in_pieces(body, sizes))));
    assert_eq!(left, 0, "an upload that is gone still counts");
    read
}

fuzz_target!(|input: Input| {
    // The pieces make no difference, whatever comes.
    assert_eq!(read(&input.noise, &input.pieces), read(&input.noise, &[]));

    let mut body = Vec::new();
    let mut sent = Vec::new();
    for (name, bytes) in input.files.iter().take(10) {
        // What a header can't hold, clients escape.
        let name: String = name.chars().filter(|c| c.is_ascii_alphanumeric() || "./\\ -_".contains(*c)).collect();
        let name = name.replace('\\', "/");
        let head = format!("--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"files\"; filename=\"{name}\"\r\n\r\n");
        body.extend(head.bytes());
        body.extend(bytes);
        body.extend(b"\r\n");
        sent.push((name, bytes.clone()));
    }
    if let Some(state) = &input.state {
        body.extend(format!("--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"state\"\r\n\r\n").bytes());
        body.extend(state);
        body.extend(b"\r\n");
    }
    body.extend(format!("--{BOUNDARY}--\r\n").bytes());
    let plain = |bytes: &[u8]| !bytes.windows(BOUNDARY.len()).any(|part| part == BOUNDARY.as_bytes());
    let read = read(&body, &input.pieces);
    if body.len() > 1 << 16 {
        assert_eq!(read, Err(413));
    } else if input.state.is_none() && !sent.is_empty() && sent.iter().all(|(_, bytes)| plain(bytes)) {
        assert_eq!(read, Ok(sent));
    }
});
