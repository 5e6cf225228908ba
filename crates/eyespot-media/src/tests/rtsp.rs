//! A small RTSP server (RFC 2326): one video in a loop, as an MPEG transport stream in RTP (RFC 2250) within the
//! connection itself.

use std::io::{BufRead, BufReader, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use super::output;

/// Length of the video in seconds.
const SECONDS: u32 = 4;
/// Bytes of a packet: seven of the transport stream.
const PACKET: usize = 7 * 188;
/// The payload type of MPEG transport streams, and the clock of their times.
const MP2T: u8 = 33;
const CLOCK: u32 = 90_000;

/// A test pattern of 20 frames a second.
pub(super) fn video() -> Arc<[u8]> {
    let seconds = SECONDS.to_string();
    let source = ["-v", "error", "-f", "lavfi", "-i", "testsrc2=size=160x120:rate=20", "-t", &seconds];
    let coder = ["-c:v", "mpeg2video", "-g", "5", "-f", "mpegts", "pipe:1"];
    output("ffmpeg", &[&source[..], &coder].concat()).into()
}

/// Serves until it is dropped; then all connections break off, as when a camera loses its power.
pub(super) struct Server {
    connections: Arc<Mutex<Vec<TcpStream>>>,
    port: u16,
    thread: Option<JoinHandle<()>>,
}

impl Server {
    pub(super) fn start(port: u16, video: &Arc<[u8]>) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", port)).unwrap();
        let (connections, video) = (Arc::new(Mutex::new(Vec::new())), Arc::clone(video));
        let all: Arc<Mutex<Vec<TcpStream>>> = Arc::clone(&connections);
        let thread = thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                // The server itself connects to say that it is over.
                if stream.peer_addr().is_ok() && Arc::strong_count(&all) == 1 {
                    return;
                }
                all.lock().unwrap().push(stream.try_clone().unwrap());
                let video = Arc::clone(&video);
                // A connection that breaks off ends its thread.
                thread::spawn(move || serve(stream, &video));
            }
        });
        Self { connections, port, thread: Some(thread) }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let connections = std::mem::take(&mut self.connections);
        for stream in connections.lock().unwrap().drain(..) {
            let _ = stream.shutdown(Shutdown::Both);
        }
        drop(connections);
        let _ = TcpStream::connect(("127.0.0.1", self.port));
        let _ = self.thread.take().unwrap().join();
    }
}

/// Answers requests until the video is to be played, then plays it.
fn serve(mut stream: TcpStream, video: &[u8]) -> std::io::Result<()> {
    let mut requests = BufReader::new(stream.try_clone()?).lines();
    loop {
        let mut head = Vec::new();
        for line in requests.by_ref() {
            let line = line?;
            if line.is_empty() {
                break;
            }
            head.push(line);
        }
        let Some((method, _)) = head.first().and_then(|line| line.split_once(' ')) else { return Ok(()) };
        let number = head.iter().find_map(|line| line.strip_prefix("CSeq: ")).unwrap_or("0");
        let (header, body) = match method {
            "OPTIONS" => ("Public: OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN", ""),
            "DESCRIBE" => (
                "Content-Type: application/sdp",
                "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=test\r\nt=0 0\r\nm=video 0 RTP/AVP 33\r\na=control:video\r\n",
            ),
            "SETUP" => ("Session: 1\r\nTransport: RTP/AVP/TCP;unicast;interleaved=0-1", ""),
            _ => ("Session: 1", ""),
        };
        let length = body.len();
        write!(
            stream,
            "RTSP/1.0 200 OK\r\nCSeq: {number}\r\n{header}\r\nContent-Length: {length}\r\n\r\n{body}"
        )?;
        match method {
            "PLAY" => return play(&mut stream, video),
            "TEARDOWN" => return Ok(()),
            _ => {}
        }
    }
}

/// Sends the video at its own pace, again and again.
fn play(stream: &mut TcpStream, video: &[u8]) -> std::io::Result<()> {
    let start = Instant::now();
    for (sent, packet) in video.chunks(PACKET).cycle().enumerate() {
        let seconds = (sent * PACKET) as f64 / video.len() as f64 * f64::from(SECONDS);
        thread::sleep(Duration::from_secs_f64(seconds).saturating_sub(start.elapsed()));
        let time = (seconds * f64::from(CLOCK)) as u32;
        let mut bytes = vec![b'$', 0];
        bytes.extend_from_slice(&(packet.len() as u16 + 12).to_be_bytes());
        bytes.extend_from_slice(&[0x80, MP2T]);
        bytes.extend_from_slice(&(sent as u16).to_be_bytes());
        bytes.extend_from_slice(&time.to_be_bytes());
        bytes.extend_from_slice(&[0, 0, 0, 1]);
        bytes.extend_from_slice(packet);
        stream.write_all(&bytes)?;
    }
    Ok(())
}
