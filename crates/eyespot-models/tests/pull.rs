//! Pulling from servers that behave, misbehave and break down.

#![allow(clippy::unwrap_used, reason = "a failed step is a failed test")]

mod support;

use std::fs;
use std::sync::Mutex;
use std::sync::mpsc::{Sender, channel};
use std::thread;
use std::time::Duration;

use eyespot_core::{Error, ErrorKind};
use eyespot_models::{NoProgress, Progress, PullOptions, Store, StoreError, Trust};
use eyespot_tests::http::{Server, respond, serve};
use support::{Log, files, model, options, sha256, store, wait_for_hang_up, weights};

const ALL: usize = usize::MAX;

#[test]
fn a_pull_streams_checks_and_publishes_the_file_and_happens_once() {
    let file = weights(1);
    let len = file.len() as u64;
    let server = {
        let file = file.clone();
        Server::start(move |_, request, stream| serve(stream, &file, request.offset(), "\"1\"", ALL))
    };
    let (_folder, store) = store();
    let model = model(&server.url(), Some(&sha256(&file)), Some(len));
    assert!(matches!(store.verify(&model), Err(StoreError::Missing(_))));
    let mut log = Log::default();
    let path = store.pull(&model, &options(), &mut log).unwrap();
    assert_eq!(log, Log { starts: vec![(Some(len), 0)], advanced: len, finished: 1 });
    assert_eq!(path, store.home().join("models/toy/net.pth"));
    assert_eq!(fs::read(&path).unwrap(), file);
    assert_eq!(files(&store), ["net.pth"]);
    assert!(store.is_present(&model));
    assert_eq!(store.verify(&model).unwrap(), Trust::Pinned);

    let offline = PullOptions { offline: true, ..options() };
    assert_eq!(store.pull(&model, &options(), &mut NoProgress).unwrap(), path);
    assert_eq!(store.pull(&model, &offline, &mut NoProgress).unwrap(), path);
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn a_cut_connection_is_resumed_where_it_broke() {
    let file = weights(1);
    let len = file.len() as u64;
    let server = {
        let file = file.clone();
        Server::start(move |n, request, stream| {
            serve(stream, &file, request.offset_if("\"1\""), "\"1\"", [100_000, 50_000, ALL][n]);
        })
    };
    let (_folder, store) = store();
    let model = model(&server.url(), None, None);
    let mut log = Log::default();
    store.pull(&model, &options(), &mut log).unwrap();
    assert_eq!(fs::read(store.path(&model)).unwrap(), file);
    assert_eq!(log.starts, [(Some(len), 0), (Some(len), 100_000), (Some(len), 150_000)]);
    assert_eq!(log.advanced, len);
    let last = &server.requests()[2];
    assert_eq!((last.header("range"), last.header("if-range")), (Some("bytes=150000-"), Some("\"1\"")));
}

#[test]
fn a_later_pull_resumes_what_an_earlier_one_left() {
    let file = weights(1);
    let server = {
        let file = file.clone();
        Server::start(move |n, request, stream| {
            serve(stream, &file, request.offset(), "\"1\"", if n == 0 { 100_000 } else { ALL });
        })
    };
    let (_folder, store) = store();
    let model = model(&server.url(), Some(&sha256(&file)), None);
    let error = store.pull(&model, &PullOptions { retries: 0, ..options() }, &mut NoProgress).unwrap_err();
    assert!(matches!(error, StoreError::Network { .. }), "{error}");
    assert_eq!(files(&store), ["net.pth.etag", "net.pth.part"]);
    assert!(!store.is_present(&model));
    let mut log = Log::default();
    store.pull(&model, &options(), &mut log).unwrap();
    assert_eq!(log.starts, [(Some(file.len() as u64), 100_000)]);
    assert_eq!(fs::read(store.path(&model)).unwrap(), file);
    assert_eq!(files(&store), ["net.pth"]);
}

#[test]
fn a_server_without_ranges_is_read_from_the_start() {
    let file = weights(1);
    let server = {
        let file = file.clone();
        Server::start(move |n, _, stream| {
            serve(stream, &file, 0, "\"1\"", if n == 0 { 100_000 } else { ALL });
        })
    };
    let (_folder, store) = store();
    let model = model(&server.url(), Some(&sha256(&file)), None);
    let mut log = Log::default();
    store.pull(&model, &options(), &mut log).unwrap();
    assert_eq!(server.requests()[1].offset(), 100_000);
    assert_eq!(log.starts[1], (Some(file.len() as u64), 0));
    assert_eq!(fs::read(store.path(&model)).unwrap(), file);
}

#[test]
fn parts_of_two_versions_are_never_joined() {
    // A server that honours `If-Range`, and one that does not.
    for honours in [true, false] {
        let new = weights(2);
        let server = {
            let new = new.clone();
            Server::start(move |n, request, stream| match n {
                0 => serve(stream, &weights(1), 0, "\"1\"", 100_000),
                _ if honours => serve(stream, &new, request.offset_if("\"2\""), "\"2\"", ALL),
                _ => serve(stream, &new, request.offset(), "\"2\"", ALL),
            })
        };
        let (_folder, store) = store();
        let model = model(&server.url(), None, None);
        store.pull(&model, &options(), &mut NoProgress).unwrap();
        assert_eq!(fs::read(store.path(&model)).unwrap(), new, "honours If-Range: {honours}");
    }
}

#[test]
fn without_a_strong_tag_or_a_digest_nothing_is_resumed() {
    for etag in ["W/\"1\"", ""] {
        let file = weights(1);
        let server = {
            let file = file.clone();
            Server::start(move |n, request, stream| {
                serve(stream, &file, request.offset(), etag, if n == 0 { 100_000 } else { ALL });
            })
        };
        let (_folder, store) = store();
        let model = model(&server.url(), None, None);
        store.pull(&model, &options(), &mut NoProgress).unwrap();
        assert_eq!(server.requests()[1].header("range"), None);
        assert_eq!(fs::read(store.path(&model)).unwrap(), file);
    }
}

#[test]
fn a_range_that_the_server_cannot_satisfy_is_complete_or_stale() {
    for stale in [0, 10] {
        let file = weights(1);
        let server = {
            let file = file.clone();
            Server::start(move |_, request, stream| match request.offset() {
                0 => serve(stream, &file, 0, "\"1\"", ALL),
                _ => {
                    let range = format!("bytes */{}", file.len());
                    respond(stream, 416, &[("Content-Range", &range), ("Content-Length", "0")], b"");
                }
            })
        };
        let (_folder, store) = store();
        let model = model(&server.url(), Some(&sha256(&file)), None);
        let path = store.path(&model);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        // All was received, but the process died before the end; or it was a longer version.
        fs::write(path.with_extension("pth.part"), [&file[..], &vec![0; stale]].concat()).unwrap();
        store.pull(&model, &options(), &mut NoProgress).unwrap();
        assert_eq!(fs::read(&path).unwrap(), file);
        assert_eq!(server.requests().len(), if stale > 0 { 2 } else { 1 });
    }
}

#[test]
fn a_missing_file_says_where_to_put_it_and_is_not_asked_for_twice() {
    let server = Server::start(|_, _, stream| respond(stream, 404, &[("Content-Length", "0")], b""));
    let (_folder, store) = store();
    let model = model(&server.url(), None, None);
    let error = store.pull(&model, &options(), &mut NoProgress).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    let message = error.to_string();
    assert!(message.contains("net.pth does not exist (HTTP 404)"), "{message}");
    assert!(message.contains("EYESPOT_MODEL_MIRROR"), "{message}");
    assert!(message.contains(store.path(&model).to_str().unwrap()), "{message}");
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn busy_and_broken_servers_are_tried_again_but_refusals_are_not() {
    for (status, tries) in [(500, 3), (503, 3), (408, 3), (429, 3), (403, 1), (401, 1)] {
        let server = Server::start(move |_, _, stream| {
            respond(stream, status, &[("Content-Length", "0"), ("Retry-After", "soon")], b"");
        });
        let (_folder, store) = store();
        let retries = PullOptions { retries: 2, ..options() };
        let error = store.pull(&model(&server.url(), None, None), &retries, &mut NoProgress).unwrap_err();
        assert!(matches!(error, StoreError::Status { status: got, .. } if got == status), "{error}");
        assert_eq!(server.requests().len(), tries, "HTTP {status}");
    }
}

#[test]
fn a_server_that_recovers_is_used() {
    let file = weights(1);
    let server = {
        let file = file.clone();
        Server::start(move |n, _, stream| match n {
            0 => respond(stream, 500, &[("Content-Length", "0")], b""),
            1 => respond(stream, 429, &[("Content-Length", "0"), ("Retry-After", "1")], b""),
            _ => serve(stream, &file, 0, "\"1\"", ALL),
        })
    };
    let (_folder, store) = store();
    let model = model(&server.url(), None, None);
    store.pull(&model, &options(), &mut NoProgress).unwrap();
    assert_eq!(fs::read(store.path(&model)).unwrap(), file);
}

#[test]
fn a_wrong_digest_or_size_is_not_kept() {
    let file = weights(1);
    let wrong = sha256(&weights(2));
    let server = {
        let file = file.clone();
        // Chunked, so that the size shows only at the end.
        Server::start(move |_, _, stream| respond_chunked(stream, &file))
    };
    let (_folder, store) = store();
    let pinned = model(&server.url(), Some(&wrong), None);
    let error = store.pull(&pinned, &options(), &mut NoProgress).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert!(
        error.to_string().contains(&format!("expected sha256 {wrong}, got {}", sha256(&file))),
        "{error}"
    );
    assert!(files(&store).is_empty());

    let longer = model(&server.url(), None, Some(file.len() as u64 + 1));
    let error = store.pull(&longer, &options(), &mut NoProgress).unwrap_err();
    assert!(matches!(error, StoreError::Size { .. }), "{error}");
    assert!(files(&store).is_empty());
}

#[test]
fn a_wrong_size_is_refused_before_the_body_if_the_server_says_it() {
    let file = weights(1);
    let server = Server::start(move |_, _, stream| serve(stream, &file, 0, "\"1\"", ALL));
    let (_folder, store) = store();
    let mut log = Log::default();
    let error = store.pull(&model(&server.url(), None, Some(5)), &options(), &mut log).unwrap_err();
    assert!(matches!(error, StoreError::Size { expected: 5, got: 300_000, .. }), "{error}");
    assert_eq!(log, Log::default());
}

#[test]
fn a_redirect_is_followed_with_the_range_and_a_loop_of_them_is_not() {
    let file = weights(1);
    let server = {
        let file = file.clone();
        Server::start(move |_, request, stream| match request.path.as_str() {
            "/real" => serve(stream, &file, request.offset(), "\"1\"", ALL),
            "/loop/net.pth" => {
                respond(stream, 302, &[("Location", "/loop/net.pth"), ("Content-Length", "0")], b"");
            }
            _ => respond(stream, 302, &[("Location", "/real"), ("Content-Length", "0")], b""),
        })
    };
    let (_folder, store) = store();
    let pinned = model(&server.url(), Some(&sha256(&file)), None);
    let path = store.path(&pinned);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path.with_extension("pth.part"), &file[..1000]).unwrap();
    store.pull(&pinned, &options(), &mut NoProgress).unwrap();
    assert_eq!(fs::read(path).unwrap(), file);
    assert_eq!(server.requests()[1].offset(), 1000);

    let (_folder, store) = support::store();
    let endless = model(&format!("{}/loop", server.url()), None, None);
    let error = store.pull(&endless, &options(), &mut NoProgress).unwrap_err();
    assert!(matches!(error, StoreError::Redirects { .. }), "{error}");
    assert_eq!(server.requests().len(), 2 + 6, "five redirects are followed, and nothing is retried");
}

#[test]
fn a_server_that_stalls_or_drips_runs_into_the_timeout() {
    for drips in [false, true] {
        let server = Server::start(move |_, _, stream| {
            serve(stream, &weights(1), 0, "\"1\"", 1000);
            if drips {
                use std::io::Write;
                while stream.write_all(b"x").is_ok() {
                    thread::sleep(Duration::from_millis(10));
                }
            }
            wait_for_hang_up(stream);
        });
        let (_folder, store) = store();
        let options = PullOptions { timeout: Duration::from_secs(1), retries: 1, ..options() };
        let error = store.pull(&model(&server.url(), None, None), &options, &mut NoProgress).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
        assert_eq!(server.requests().len(), 2);
        assert_eq!(files(&store), ["net.pth.etag", "net.pth.part"]);
    }
}

#[test]
fn an_unreachable_server_is_a_network_error() {
    let url = Server::start(|_, _, _| ()).url();
    let (_folder, store) = store();
    let error = store.pull(&model(&url, None, None), &options(), &mut NoProgress).unwrap_err();
    assert!(matches!(error, StoreError::Network { .. }), "{error}");
    assert_eq!(error.kind(), ErrorKind::Io);
}

#[test]
fn a_server_that_does_not_speak_tls_is_a_network_error() {
    let server = Server::start(|_, _, stream| respond(stream, 400, &[], b"plain"));
    let (_folder, store) = store();
    let url = server.url().replace("http://", "https://");
    let error = store.pull(&model(&url, None, None), &options(), &mut NoProgress).unwrap_err();
    assert!(matches!(error, StoreError::Network { .. }), "{error}");
    assert_eq!(server.requests().len(), 0);
}

#[test]
fn a_chunked_body_is_read_to_its_end_and_a_cut_one_is_noticed() {
    let file = weights(1);
    let server = {
        let file = file.clone();
        Server::start(move |n, _, stream| match n {
            0 => respond(stream, 200, &[("Transfer-Encoding", "chunked")], b"186a0\r\nonly the beginning"),
            _ => respond_chunked(stream, &file),
        })
    };
    let (_folder, store) = store();
    let model = model(&server.url(), None, None);
    let mut log = Log::default();
    store.pull(&model, &options(), &mut log).unwrap();
    assert_eq!(log.starts, [(None, 0), (None, 0)]);
    assert_eq!(fs::read(store.path(&model)).unwrap(), file);
}

#[test]
fn a_body_without_an_end_needs_a_known_size_or_digest() {
    let file = weights(1);
    let server = {
        let file = file.clone();
        Server::start(move |_, _, stream| respond(stream, 200, &[], &file))
    };
    let (_folder, store) = store();
    let error = store.pull(&model(&server.url(), None, None), &options(), &mut NoProgress).unwrap_err();
    assert!(matches!(error, StoreError::BadResponse { .. }), "{error}");
    let pinned = model(&server.url(), Some(&sha256(&file)), None);
    store.pull(&pinned, &options(), &mut NoProgress).unwrap();
    assert_eq!(fs::read(store.path(&pinned)).unwrap(), file);
}

#[test]
fn a_web_page_is_not_taken_for_weights() {
    let server = Server::start(|_, _, stream| {
        respond(
            stream,
            200,
            &[("Content-Type", "text/html; charset=utf-8"), ("Content-Length", "5")],
            b"login",
        );
    });
    let (_folder, store) = store();
    let error = store.pull(&model(&server.url(), None, None), &options(), &mut NoProgress).unwrap_err();
    assert!(error.to_string().contains("web page"), "{error}");
    assert!(!store.is_present(&model(&server.url(), None, None)));
}

#[test]
fn too_large_a_file_is_refused_whether_announced_or_not() {
    for chunked in [false, true] {
        let server = Server::start(move |_, _, stream| {
            if chunked {
                respond_chunked(stream, &weights(1));
            } else {
                serve(stream, &weights(1), 0, "\"1\"", ALL);
            }
        });
        let (_folder, store) = store();
        let options = PullOptions { max_bytes: 200_000, ..options() };
        let error = store.pull(&model(&server.url(), None, None), &options, &mut NoProgress).unwrap_err();
        assert!(matches!(error, StoreError::TooLarge { limit: 200_000, .. }), "{error}");
        assert_eq!(error.kind(), ErrorKind::Capacity);
        assert_eq!(fs::metadata(store.home().join("models/toy/net.pth.part")).unwrap().len(), 0);
    }
}

/// Tells a channel what happens.
struct Tell(Sender<&'static str>);

impl Progress for Tell {
    fn start(&mut self, _total: Option<u64>, _resumed: u64) {
        self.0.send("start").unwrap();
    }
    fn advance(&mut self, _bytes: u64) {}
    fn finish(&mut self) {
        self.0.send("finish").unwrap();
    }
    fn waiting(&mut self) {
        self.0.send("waiting").unwrap();
    }
}

#[test]
fn of_two_concurrent_pulls_one_downloads_and_the_other_waits() {
    let file = weights(1);
    let (resume, resumed) = channel::<()>();
    let resumed = Mutex::new(resumed);
    let server = {
        let file = file.clone();
        Server::start(move |_, _, stream| {
            use std::io::Write;
            serve(stream, &file, 0, "\"1\"", 1000);
            resumed.lock().unwrap().recv().unwrap();
            let _ = stream.write_all(&file[1000..]);
        })
    };
    let (_folder, store) = store();
    let model = model(&server.url(), None, None);
    let (tell, told) = channel();
    let pull = |tell: Sender<&'static str>| {
        let (store, model) = (store.clone(), model.clone());
        thread::spawn(move || store.pull(&model, &options(), &mut Tell(tell)).unwrap())
    };
    let first = pull(tell.clone());
    assert_eq!(told.recv().unwrap(), "start");
    let second = pull(tell);
    assert_eq!(told.recv().unwrap(), "waiting");
    resume.send(()).unwrap();
    assert_eq!(first.join().unwrap(), second.join().unwrap());
    assert_eq!(told.iter().collect::<Vec<_>>(), ["finish"]);
    assert_eq!(fs::read(store.path(&model)).unwrap(), file);
    assert_eq!(server.requests().len(), 1);
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_named_as_such() {
    let file = weights(1);
    let server = Server::start(move |_, _, stream| serve(stream, &file, 0, "\"1\"", ALL));
    let (_folder, store) = store();
    let model = model(&server.url(), None, None);
    let path = store.path(&model);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::os::unix::fs::symlink("/dev/full", path.with_extension("pth.part")).unwrap();
    let error = store.pull(&model, &options(), &mut NoProgress).unwrap_err();
    assert!(matches!(error, StoreError::DiskFull(_)), "{error}");
    assert!(error.to_string().contains("net.pth.part, then pull again"), "{error}");
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn offline_says_where_the_file_belongs_and_accepts_it_there() {
    let (_folder, store) = store();
    let model = model("https://example.org", None, None);
    let offline = PullOptions { offline: true, ..options() };
    let error = store.pull(&model, &offline, &mut NoProgress).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    let path = store.path(&model);
    for part in [path.to_str().unwrap(), "models pull toy/net", "https://example.org/net.pth"] {
        assert!(error.to_string().contains(part), "{error}");
    }
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(&path, weights(1)).unwrap();
    assert_eq!(store.verify(&model).unwrap(), Trust::FirstUse);
    store.pull(&model, &offline, &mut NoProgress).unwrap();
    assert_eq!(store.verify(&model).unwrap(), Trust::Recorded);
    fs::write(&path, weights(2)).unwrap();
    let error = store.pull(&model, &offline, &mut NoProgress).unwrap_err();
    assert!(matches!(error, StoreError::Checksum { .. }), "{error}");
}

#[test]
fn the_digest_of_the_first_pull_holds_until_its_record_is_deleted() {
    let (old, new) = (weights(1), weights(2));
    let server = {
        let (old, new) = (old.clone(), new.clone());
        Server::start(move |n, _, stream| serve(stream, if n < 2 { &old } else { &new }, 0, "\"1\"", ALL))
    };
    let (_folder, store) = store();
    let model = model(&server.url(), None, None);
    let pull = |store: &Store| store.pull(&model, &options(), &mut NoProgress);
    let path = pull(&store).unwrap();
    let record = path.with_extension("pth.sha256");
    assert_eq!(fs::read_to_string(&record).unwrap(), format!("{}  net.pth\n", sha256(&old)));

    let cache = store.cache_path(&model, "burn 0.22/f16");
    assert_eq!(cache, path.with_extension("pth.burn-0.22-f16.cache"));
    fs::write(&cache, "converted").unwrap();
    pull(&store).unwrap();
    assert!(cache.exists(), "the weights are the same");

    // A damaged file is replaced by the same content, and by no other.
    fs::write(&path, "damaged").unwrap();
    pull(&store).unwrap();
    assert_eq!(fs::read(&path).unwrap(), old);
    assert!(!cache.exists(), "the weights were replaced");
    fs::write(&path, "damaged").unwrap();
    assert!(matches!(pull(&store), Err(StoreError::Checksum { expected, .. }) if expected == sha256(&old)));
    fs::remove_file(&record).unwrap();
    fs::remove_file(&path).unwrap();
    pull(&store).unwrap();
    assert_eq!(fs::read(&path).unwrap(), new);
}

#[test]
fn a_mirror_has_the_layout_of_the_store() {
    let file = weights(1);
    let server = {
        let file = file.clone();
        Server::start(move |_, _, stream| serve(stream, &file, 0, "\"1\"", ALL))
    };
    let (_folder, store) = store();
    let model = model("https://example.org/releases", None, None);
    let mirror = PullOptions { mirror: Some(format!("{}/models/", server.url())), ..options() };
    store.pull(&model, &mirror, &mut NoProgress).unwrap();
    assert_eq!(server.requests()[0].path, "/models/toy/net.pth");
}

#[test]
fn a_listing_shows_what_is_here_and_how_large_it_is() {
    let json = |name: &str, bytes: u64| {
        serde_json::json!({
            "name": format!("toy/{name}"), "url": "https://example.org/w", "file": name, "sha256": null,
            "bytes": bytes, "input": [8, 8], "labels": "coco", "params": 1
        })
    };
    let manifest = serde_json::json!({
        "family": "toy", "licence": "MIT", "source": "", "models": [json("a", 3), json("b", 3), json("c", 3)]
    });
    let manifest = eyespot_models::Manifest::parse(&manifest.to_string()).unwrap();
    let catalog = eyespot_models::Catalog::new([manifest]).unwrap();
    let (_folder, store) = store();
    fs::create_dir_all(store.home().join("models/toy")).unwrap();
    fs::write(store.home().join("models/toy/b"), "abc").unwrap();
    fs::write(store.home().join("models/toy/c"), "truncated? no, too long").unwrap();
    let list: Vec<_> = store.list(&catalog).map(|entry| (entry.model.name.as_str(), entry.present)).collect();
    assert_eq!(list, [("toy/a", false), ("toy/b", true), ("toy/c", false)]);
    assert!(store.list(&catalog).all(|entry| entry.bytes == Some(3)));
}

fn respond_chunked(stream: &mut std::net::TcpStream, file: &[u8]) {
    let mut body = Vec::new();
    for chunk in file.chunks(70_000) {
        body.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
        body.extend_from_slice(chunk);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(b"0\r\n\r\n");
    respond(stream, 200, &[("Transfer-Encoding", "chunked")], &body);
}
