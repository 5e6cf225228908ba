//! HTTPS with a certificate that the server has signed itself.

use std::path::PathBuf;

use eyespot_remote::{Connect as _, RemoteError, RemoteOptions};
use eyespot_runtime::{Model, Settings};
use eyespot_serve::{ServeOptions, Server, TlsFiles};

use crate::common::{FAR, input, options};

/// A certificate for this computer and its key, as files.
fn certificate(folder: &std::path::Path, name: &str) -> TlsFiles {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned(), "127.0.0.1".to_owned()]).unwrap();
    let path = |kind: &str| folder.join(format!("{name}-{kind}.pem"));
    let files = TlsFiles { certificate: path("cert"), key: path("key") };
    std::fs::write(&files.certificate, made.cert.pem()).unwrap();
    std::fs::write(&files.key, made.signing_key.serialize_pem()).unwrap();
    files
}

#[test]
fn only_the_certificate_that_is_trusted_is_spoken_to() {
    let folder = tempfile::tempdir().unwrap();
    let (ours, other) = (certificate(folder.path(), "ours"), certificate(folder.path(), "other"));
    let secret = ServeOptions { tls: Some(ours.clone()), ..options("127.0.0.1:0") };
    let server = Server::start(Model::from_predictor(FAR), secret).unwrap();
    let connect = |scheme: &str, trust: Option<PathBuf>| {
        let mut options = RemoteOptions::default();
        options.certificate = trust;
        Model::connect_with(&format!("{scheme}://{}", server.address()).parse().unwrap(), &options)
    };
    let model = connect("https", Some(ours.certificate)).unwrap();
    let found: Vec<_> =
        model.predict(input(9, 0), &Settings::default()).unwrap().map(Result::unwrap).collect();
    assert_eq!(found[0].boxes().len(), 2);
    for trust in [None, Some(other.certificate)] {
        let error = connect("https", trust).err().unwrap();
        assert!(matches!(error, RemoteError::Untrusted { .. }) && !error.is_away(), "{error:?}");
    }
    assert!(connect("http", None).is_err());
}

#[test]
fn a_key_of_another_certificate_is_refused_at_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let (one, two) = (certificate(folder.path(), "one"), certificate(folder.path(), "two"));
    let tls = Some(TlsFiles { certificate: one.certificate, key: two.key });
    let mixed = ServeOptions { tls, ..options("127.0.0.1:0") };
    let error = Server::start(Model::from_predictor(FAR), mixed).unwrap_err();
    assert!(error.to_string().contains("two-key.pem"), "{error}");
}
