//! A model that is deployed on a platform: the platform tells where, and passes on what is asked.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use eyespot_remote::{Connect as _, Endpoint, RemoteError, RemoteOptions};
use eyespot_runtime::{Model, Settings};
use eyespot_serve::{ServeOptions, Server, Token};
use eyespot_supervisely::client::{Connection, Token as ApiToken};

use crate::common::{FAR, input, options};

/// A platform with the tasks 7, which serves, and 8, which has ended. It wants `api-t0ken` with every request.
fn platform(model: SocketAddr, session: &Arc<Mutex<String>>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let session = Arc::clone(session);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let session = Arc::clone(&session);
            std::thread::spawn(move || answer(&mut stream.unwrap(), model, &session.lock().unwrap().clone()));
        }
    });
    format!("http://{address}")
}

fn answer(stream: &mut TcpStream, model: SocketAddr, session: &str) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.read_line(&mut head).unwrap() == 0 {
            return;
        }
    }
    let header = |name: &str| {
        let line = head
            .lines()
            .find_map(|line| line.split_once(": ").filter(|(key, _)| key.eq_ignore_ascii_case(name)));
        line.map(|(_, value)| value.to_owned())
    };
    let mut body = vec![0; header("content-length").unwrap().parse().unwrap()];
    reader.read_exact(&mut body).unwrap();
    let path = head.split(' ').nth(1).unwrap();
    let (status, text) = if header("x-api-key").as_deref() != Some("api-t0ken") {
        (401, "{}".to_owned())
    } else if path == "/public/api/v3/tasks.info" {
        match String::from_utf8(body).unwrap().as_str() {
            r#"{"id":7}"# => {
                (200, format!(r#"{{"id":7,"status":"started","meta":{{"sessionToken":"{session}"}}}}"#))
            }
            r#"{"id":8}"# => (200, r#"{"id":8,"status":"stopped","meta":{"sessionToken":"old"}}"#.to_owned()),
            _ => (404, "{}".to_owned()),
        }
    } else if let Some(path) = path.strip_prefix(&format!("/net/{session}/")) {
        let agent: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(false).build().into();
        let request = agent.post(format!("http://{model}/{path}")).header("x-api-key", "api-t0ken");
        let mut response = request.content_type(header("content-type").unwrap()).send(&body).unwrap();
        (response.status().as_u16(), response.body_mut().read_to_string().unwrap())
    } else {
        (404, "{}".to_owned())
    };
    let head = format!("HTTP/1.1 {status} -\r\nConnection: close\r\nContent-Length: {}\r\n\r\n", text.len());
    stream.write_all((head + &text).as_bytes()).unwrap();
}

#[test]
fn a_task_is_found_and_asked_and_found_again() {
    let guarded = ServeOptions { token: Some(Token::new("api-t0ken")), ..options("127.0.0.1:0") };
    let server = Server::start(Model::from_predictor(FAR), guarded).unwrap();
    let session = Arc::new(Mutex::new("sess10n".to_owned()));
    let platform = platform(server.address(), &session);
    let connection = |token: &str| Connection::new(&platform, ApiToken::new(token).unwrap()).unwrap();
    let task = |token: &str, id| Endpoint::task(&connection(token), id).unwrap();
    let connect = |endpoint: &Endpoint| Model::connect_with(endpoint, &RemoteOptions::default());

    let model = connect(&task("api-t0ken", 7)).unwrap();
    assert_eq!(model.device(), format!("task 7 of {platform}"));
    let found = || {
        let predictions = model.predict(input(50, 0), &Settings::default()).unwrap();
        predictions
            .map(|prediction| Ok::<_, String>(prediction.map_err(|error| error.to_string())?.boxes().len()))
            .collect::<Result<Vec<_>, _>>()
    };
    assert_eq!(found(), Ok(vec![2]));
    // The task was started again, and is somewhere else.
    "0ther".clone_into(&mut session.lock().unwrap());
    assert_eq!(found(), Ok(vec![2]));

    for (id, reason) in [(8, "ended"), (9, "no such task")] {
        let error = connect(&task("api-t0ken", id)).err().unwrap();
        assert!(matches!(error, RemoteError::Task { .. }) && error.is_away(), "{error:?}");
        assert!(error.to_string().contains(reason), "{error}");
    }
    let error = connect(&task("wr0ng", 7)).err().unwrap();
    let text = format!("{error} {error:?}");
    assert!(matches!(error, RemoteError::Platform(_)) && !error.is_away(), "{text}");
    for secret in ["wr0ng", "api-t0ken", "sess10n", "0ther"] {
        assert!(!text.contains(secret));
    }
}
