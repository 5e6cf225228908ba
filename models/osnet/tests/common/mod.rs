//! Weights of noise, in files as torchreid writes them.
#![allow(dead_code, clippy::unwrap_used, reason = "tests, of which each uses a part")]

use std::path::PathBuf;

/// A tensor: name, shape, values.
pub(crate) type Tensors = Vec<(String, Vec<usize>, Vec<f32>)>;

/// The folder of test data, if there is one.
pub(crate) fn data() -> Option<PathBuf> {
    let default = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/data");
    let path = std::env::var_os("EYESPOT_DATA").map_or_else(|| default.into(), PathBuf::from);
    if path.is_dir() {
        return Some(path);
    }
    eprintln!("IGNORED: no test data at {}", path.display());
    None
}

/// What `golden/osnet.py` makes of a name: SplitMix64 that starts from its FNV-1a hash; -1..1.
pub(crate) fn noise(name: &str, count: usize) -> impl Iterator<Item = f64> {
    let mut state = name.bytes().fold(0xcbf2_9ce4_8422_2325, |state: u64, byte| {
        (state ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    std::iter::repeat_with(move || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 40) as f64 / f64::from(1 << 23) - 1.0
    })
    .take(count)
}

/// All tensors of a training of torchreid with these channels, the classifier included.
pub(crate) fn torchreid(channels: [usize; 4]) -> Tensors {
    let mut tensors = Tensors::new();
    let mut add = |name: String, shape: &[usize]| {
        let count = shape.iter().product();
        let fan_in: usize = shape[1..].iter().product();
        let kind = name.rsplit('.').next().unwrap();
        let value = |noise: f64| match (shape.len(), kind) {
            (2.., _) => noise * (2.0 / fan_in as f64).sqrt(),
            (_, "weight") => 1.0 + 0.25 * noise,
            (_, "running_var") => 1.0 + 0.5 * noise,
            _ => 0.125 * noise,
        };
        let values = noise(&name, count).map(|noise| value(noise) as f32).collect();
        tensors.push((name, shape.to_vec(), values));
    };
    let norm = |add: &mut dyn FnMut(String, &[usize]), name: &str, channels: usize| {
        for part in ["weight", "bias", "running_mean", "running_var"] {
            add(format!("{name}.{part}"), &[channels]);
        }
    };
    let conv_norm = |add: &mut dyn FnMut(String, &[usize]), name: &str, shape: [usize; 4]| {
        add(format!("{name}.conv.weight"), &shape);
        norm(add, &format!("{name}.bn"), shape[0]);
    };
    conv_norm(&mut add, "conv1", [channels[0], 3, 7, 7]);
    for stage in 0..3 {
        let (first, output) = (channels[stage], channels[stage + 1]);
        for (index, input) in [first, output].into_iter().enumerate() {
            let (name, mid) = (format!("conv{}.{index}", stage + 2), output / 4);
            conv_norm(&mut add, &format!("{name}.conv1"), [mid, input, 1, 1]);
            let streams = ["a", "b.0", "b.1", "c.0", "c.1", "c.2", "d.0", "d.1", "d.2", "d.3"]
                .map(|at| format!("conv2{at}"));
            for stream in streams {
                add(format!("{name}.{stream}.conv1.weight"), &[mid, mid, 1, 1]);
                add(format!("{name}.{stream}.conv2.weight"), &[mid, 1, 3, 3]);
                norm(&mut add, &format!("{name}.{stream}.bn"), mid);
            }
            add(format!("{name}.gate.fc1.weight"), &[mid / 16, mid, 1, 1]);
            add(format!("{name}.gate.fc1.bias"), &[mid / 16]);
            add(format!("{name}.gate.fc2.weight"), &[mid, mid / 16, 1, 1]);
            add(format!("{name}.gate.fc2.bias"), &[mid]);
            conv_norm(&mut add, &format!("{name}.conv3"), [output, mid, 1, 1]);
            if input != output {
                conv_norm(&mut add, &format!("{name}.downsample"), [output, input, 1, 1]);
            }
        }
        if stage < 2 {
            conv_norm(&mut add, &format!("conv{}.2.0", stage + 2), [output, output, 1, 1]);
        }
    }
    conv_norm(&mut add, "conv5", [channels[3], channels[3], 1, 1]);
    add("fc.0.weight".to_owned(), &[512, channels[3]]);
    add("fc.0.bias".to_owned(), &[512]);
    norm(&mut add, "fc.1", 512);
    add("classifier.weight".to_owned(), &[751, 512]);
    add("classifier.bias".to_owned(), &[751]);
    tensors
}

/// A file of named tensors: the length of a JSON header, the header, the values.
pub(crate) fn safetensors(tensors: &Tensors) -> Vec<u8> {
    let (mut header, mut data) = (serde_json::Map::new(), Vec::new());
    for (name, shape, values) in tensors {
        let start = data.len();
        data.extend(values.iter().flat_map(|value| value.to_le_bytes()));
        let entry =
            serde_json::json!({ "dtype": "F32", "shape": shape, "data_offsets": [start, data.len()] });
        header.insert(name.clone(), entry);
    }
    let header = serde_json::Value::from(header).to_string();
    [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), &data].concat()
}

/// A checkpoint as `torch.save` lays out what torchreid gives it: a zip archive with a pickle, whose tensors refer to
/// storages by persistent ids, and one file per storage.
pub(crate) fn checkpoint(tensors: &Tensors) -> Vec<u8> {
    let mut pickle = Pickle(vec![0x80, 2]);
    let mut archive = Zip::default();
    pickle.dict(|pickle| {
        pickle.text("state_dict");
        pickle.dict(|pickle| {
            for (index, (name, shape, values)) in tensors.iter().enumerate() {
                // Trained on several GPUs.
                pickle.text(&format!("module.{name}"));
                pickle.tensor(index, shape, values.len());
            }
        });
        pickle.text("epoch");
        pickle.integer(150);
        pickle.text("optimizer");
        pickle.dict(|pickle| {
            pickle.text("momentum");
            pickle.tensor(0, &tensors[0].1, tensors[0].2.len());
        });
    });
    pickle.0.push(b'.');
    archive.store("archive/data.pkl", &pickle.0);
    for (index, (.., values)) in tensors.iter().enumerate() {
        let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        archive.store(&format!("archive/data/{index}"), &bytes);
    }
    archive.store("archive/version", b"3\n");
    archive.finish()
}

/// Writes the pickle machine's program, protocol 2.
struct Pickle(Vec<u8>);

impl Pickle {
    fn text(&mut self, text: &str) {
        self.0.push(b'X');
        self.0.extend((text.len() as u32).to_le_bytes());
        self.0.extend(text.as_bytes());
    }

    fn integer(&mut self, value: usize) {
        self.0.push(b'J');
        self.0.extend((value as u32).to_le_bytes());
    }

    fn global(&mut self, module: &str, name: &str) {
        self.0.extend(format!("c{module}\n{name}\n").as_bytes());
    }

    fn tuple(&mut self, content: impl FnOnce(&mut Self)) {
        self.0.push(b'(');
        content(self);
        self.0.push(b't');
    }

    fn dict(&mut self, content: impl FnOnce(&mut Self)) {
        self.0.extend(b"}(");
        content(self);
        self.0.push(b'u');
    }

    fn tensor(&mut self, storage: usize, shape: &[usize], len: usize) {
        self.global("torch._utils", "_rebuild_tensor_v2");
        self.tuple(|pickle| {
            pickle.tuple(|pickle| {
                pickle.text("storage");
                pickle.global("torch", "FloatStorage");
                pickle.text(&storage.to_string());
                pickle.text("cpu");
                pickle.integer(len);
            });
            pickle.0.push(b'Q');
            pickle.integer(0);
            pickle.tuple(|pickle| shape.iter().for_each(|&size| pickle.integer(size)));
            let strides = (1..=shape.len()).map(|at| shape[at..].iter().product());
            pickle.tuple(|pickle| strides.for_each(|stride| pickle.integer(stride)));
            pickle.0.push(0x89);
            pickle.global("collections", "OrderedDict");
            pickle.0.extend(b")R");
        });
        self.0.push(b'R');
    }
}

/// A zip archive without compression.
#[derive(Default)]
struct Zip {
    bytes: Vec<u8>,
    directory: Vec<u8>,
    files: u16,
}

impl Zip {
    fn store(&mut self, name: &str, content: &[u8]) {
        let offset = self.bytes.len() as u32;
        // Versions, method, time and date are zero.
        let (crc, len) = (crc32(content).to_le_bytes(), (content.len() as u32).to_le_bytes());
        let common = [&[0; 10][..], &crc, &len, &len, &(name.len() as u16).to_le_bytes(), &[0, 0]].concat();
        self.bytes.extend([b"PK\x03\x04", &common[..], name.as_bytes(), content].concat());
        let place = offset.to_le_bytes();
        self.directory.extend([b"PK\x01\x02\0\0", &common[..], &[0; 10], &place, name.as_bytes()].concat());
        self.files += 1;
    }

    fn finish(self) -> Vec<u8> {
        let (size, start) = (self.directory.len() as u32, self.bytes.len() as u32);
        let files = self.files.to_le_bytes();
        let end =
            [&b"PK\x05\x06\0\0\0\0"[..], &files, &files, &size.to_le_bytes(), &start.to_le_bytes(), &[0, 0]];
        [&self.bytes[..], &self.directory, &end.concat()].concat()
    }
}

/// CRC-32 of zip archives.
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0u32, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg()))
    })
}
