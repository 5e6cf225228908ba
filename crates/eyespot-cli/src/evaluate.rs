//! `evaluate coco | mot`.

use eyespot_eval::{coco, mot};

use crate::args::Evaluate;
use crate::{Failure, Outcome};

pub(crate) fn run(command: &Evaluate) -> Result<Outcome, Failure> {
    match command {
        Evaluate::Coco { gt, results, json } => {
            let dataset = coco::Dataset::read(gt)?;
            let summary = coco::evaluate(&dataset, &coco::Results::read(results)?, &coco::Params::default())?;
            if *json {
                println!("{}", serde_json::to_string(&summary)?);
            } else {
                println!("{summary}");
            }
        }
        Evaluate::Mot { gt, tracks, json } => {
            if gt.len() != tracks.len() {
                return Err(format!(
                    "{} files of truth but {} of tracks: give one --tracks for each --gt, in the same order",
                    gt.len(),
                    tracks.len()
                )
                .into());
            }
            let mut scores = Vec::new();
            for (truth, tracks) in gt.iter().zip(tracks) {
                scores.push(mot::evaluate(&mot::Sequence::read(truth)?, &mot::Sequence::read(tracks)?)?);
            }
            let all = mot::combine(&scores);
            if *json {
                println!("{}", serde_json::to_string(&all)?);
            } else {
                let names: Vec<String> = tracks.iter().map(|path| path.display().to_string()).collect();
                let mut rows: Vec<(&str, &mot::Scores)> =
                    names.iter().map(String::as_str).zip(&scores).collect();
                if rows.len() > 1 {
                    rows.push(("all", &all));
                }
                println!("{}", mot::Table(&rows));
            }
        }
    }
    Ok(Outcome::Done)
}
