//! Scores as a table, ratios in percent.

use std::fmt;

use super::Scores;

/// A table of scores with a name for each line.
///
/// ```
/// # use eyespot_eval::mot::{self, Sequence, Table};
/// # let scores = mot::evaluate(&Sequence::default(), &Sequence::default())?;
/// println!("{}", Table(&[("MOT17-02", &scores), ("COMBINED", &mot::combine([&scores]))]));
/// # Ok::<(), eyespot_eval::Error>(())
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Table<'a>(pub &'a [(&'a str, &'a Scores)]);

impl fmt::Display for Table<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let width = self.0.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0);
        write!(f, "{:width$}", "")?;
        for name in ["HOTA", "DetA", "AssA", "LocA", "DetRe", "DetPr", "AssRe", "AssPr", "MOTA", "MOTP"] {
            write!(f, " {name:>6}")?;
        }
        write!(f, " {:>6} {:>6} {:>6}", "IDF1", "IDP", "IDR")?;
        for name in ["IDSW", "Frag", "FP", "FN", "MT", "PT", "ML"] {
            write!(f, " {name:>6}")?;
        }
        writeln!(f)?;
        for (name, Scores { hota, clear, identity, .. }) in self.0 {
            write!(f, "{name:width$}")?;
            for ratio in [
                hota.hota,
                hota.det_a,
                hota.ass_a,
                hota.loc_a,
                hota.det_re,
                hota.det_pr,
                hota.ass_re,
                hota.ass_pr,
                clear.mota,
                clear.motp,
                identity.idf1,
                identity.idp,
                identity.idr,
            ] {
                write!(f, " {:>6.2}", ratio * 100.0)?;
            }
            for count in [
                clear.id_switches,
                clear.fragmentations,
                clear.fp,
                clear.fn_,
                clear.mostly_tracked,
                clear.partially_tracked,
                clear.mostly_lost,
            ] {
                write!(f, " {count:>6}")?;
            }
            writeln!(f)?;
        }
        Ok(())
    }
}

impl fmt::Display for Scores {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Table(&[("", self)]).fmt(f)
    }
}
