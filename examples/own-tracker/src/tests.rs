use super::*;
use eyespot_tests::walkers::{self, LEFT, RIGHT};

#[test]
fn who_walks_alone_keeps_the_track() {
    let folder = tempfile::tempdir().unwrap();
    let video = folder.path().join("walkers.mp4");
    walkers::write(&video);
    assert_eq!(track(&video).unwrap(), (RIGHT + LEFT) as usize);
}
