//! The static pipeline on a computer: what it sees in ten seconds of the scene.

use eyespot_core::TrackId;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut pipeline = fixed_memory::pipeline().map_err(|error| format!("{error:?}"))?;
    for _ in 0..300 {
        let Some(frame) = pipeline.step()? else { break };
        if frame.index % 30 == 0 {
            let tracks: Vec<u32> = pipeline.results().track_ids().flatten().map(TrackId::get).collect();
            println!("frame {:3}: {} objects, tracks {tracks:?}", frame.index, pipeline.results().len());
        }
    }
    Ok(())
}
