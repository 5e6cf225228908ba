#![no_main]

use std::cell::RefCell;
use std::convert::Infallible;
use std::net::{TcpListener, TcpStream};
use std::rc::Rc;

use eyespot_core::{ErrorType, Record, Sink};
use eyespot_gateway::{Endpoint, Hub, HubOptions, Options};
use eyespot_supervisely::{Converter, format::Annotation};
use libfuzzer_sys::fuzz_target;

/// Does what an upload does with results, up to the text that is stored.
struct Annotations {
    converter: Converter,
    results: Rc<RefCell<u64>>,
}

impl ErrorType for Annotations {
    type Error = Infallible;
}

impl Sink for Annotations {
    fn write(&mut self, record: &Record<'_>) -> Result<(), Infallible> {
        *self.results.borrow_mut() += 1;
        let annotation = self.converter.annotation(record.info.width, record.info.height, record.predictions);
        let meta = self.converter.meta_of(record.predictions);
        let text = serde_json::to_vec(&annotation).expect("it can be written");
        let read: Annotation = serde_json::from_slice(&text).expect("what is written can be read");
        assert_eq!(read, annotation);
        assert!(annotation.objects.iter().all(|object| meta.class(&object.class_title).is_some()));
        Ok(())
    }
}

// What two boards send, cut in two by the first byte, through sockets and a hub.
fuzz_target!(|bytes: &[u8]| {
    use std::io::Write as _;
    let Some((&cut, bytes)) = bytes.split_first() else { return };
    let (first, second) = bytes.split_at(bytes.len() * usize::from(cut) / 256);
    let servers: Vec<TcpListener> = (0..2).map(|_| TcpListener::bind("127.0.0.1:0").unwrap()).collect();
    let endpoint = |server: &TcpListener| Endpoint::Connect(server.local_addr().unwrap().to_string());
    let line = Options { retry: None, ..Options::default() };
    let hub = Hub::start(servers.iter().map(endpoint).collect(), HubOptions { line, ..HubOptions::default() }).unwrap();
    for (server, bytes) in servers.iter().zip([first, second]) {
        let (mut line, _): (TcpStream, _) = server.accept().unwrap();
        line.write_all(bytes).unwrap();
    }
    let results = Rc::new(RefCell::new(0));
    let open = |device: &eyespot_wire::DeviceInfo, _: Option<Annotations>| {
        Ok(Annotations { converter: Converter::new(&device.labels), results: Rc::clone(&results) })
    };
    let Ok(counts) = hub.pump(open, |_| ());
    assert_eq!(*results.borrow(), counts.lines.wire.results);
});
