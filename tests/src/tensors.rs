//! Files of tensors: `.npy` in, safetensors and checkpoints of `PyTorch` out.

use std::path::Path;

/// A tensor: name, shape, values.
pub type Tensor = (String, Vec<usize>, Vec<f32>);

/// Shape and bytes of a `.npy` file of version 1.
fn npy(path: &Path, descr: &str) -> (Vec<usize>, Vec<u8>) {
    let bytes = std::fs::read(path).unwrap();
    assert_eq!(&bytes[..8], b"\x93NUMPY\x01\x00");
    let header = 10 + usize::from(u16::from_le_bytes([bytes[8], bytes[9]]));
    let text = std::str::from_utf8(&bytes[10..header]).unwrap();
    assert!(
        text.contains(&format!("'descr': '{descr}'")) && text.contains("'fortran_order': False"),
        "{text}"
    );
    let shape = text.split_once("'shape': (").unwrap().1.split_once(')').unwrap().0;
    let shape = shape.split(',').filter_map(|size| size.trim().parse().ok()).collect();
    (shape, bytes[header..].to_vec())
}

/// Shape and values of a `.npy` file of bytes.
#[must_use]
pub fn npy_u8(path: &Path) -> (Vec<usize>, Vec<u8>) {
    npy(path, "|u1")
}

/// Shape and values of a `.npy` file of 32-bit floats.
#[must_use]
pub fn npy_f32(path: &Path) -> (Vec<usize>, Vec<f32>) {
    let (shape, bytes) = npy(path, "<f4");
    (shape, bytes.chunks_exact(4).map(|value| f32::from_le_bytes(value.try_into().unwrap())).collect())
}

/// A file of named tensors: the length of a JSON header, the header, the values.
#[must_use]
pub fn safetensors(tensors: &[Tensor]) -> Vec<u8> {
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

/// A checkpoint as `torch.save` lays out the state of a training: a zip archive with a pickle, whose tensors refer to
/// storages by persistent ids, and one file per storage.
#[must_use]
pub fn checkpoint(tensors: &[Tensor]) -> Vec<u8> {
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
