//! HLS playlists (RFC 8216).

use crate::fetch::{Client, Download};
use crate::input::scheme_of;

/// Does a playlist have an end? One that only names others is as the first of them.
pub(crate) fn is_playlist_of_a_file(client: &Client, url: &str, text: &str) -> bool {
    if !text.contains("#EXT-X-STREAM-INF") {
        return ends(text);
    }
    let Some(first) = text.lines().map(str::trim).find(|line| !line.is_empty() && !line.starts_with('#'))
    else {
        return false;
    };
    client.get(&beside(url, first)).and_then(Download::into_text).is_ok_and(|text| ends(&text))
}

fn ends(text: &str) -> bool {
    text.lines().any(|line| line.trim() == "#EXT-X-ENDLIST")
}

/// An address as it stands in the file of another one.
fn beside(url: &str, other: &str) -> String {
    if scheme_of(other).is_some() {
        return other.to_owned();
    }
    let base = url.split(['?', '#']).next().unwrap_or_default();
    let host = base.find("://").map_or(0, |at| at + 3);
    let root = base.get(host..).and_then(|rest| rest.find('/')).map_or(base.len(), |at| host + at);
    let end = if other.starts_with('/') { root } else { base.rfind('/').unwrap_or(root).max(root) + 1 };
    let start = base.get(..end).map_or_else(|| format!("{base}/"), str::to_owned);
    format!("{start}{other}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_in_playlists_are_found() {
        for (url, other, expected) in [
            ("http://host/a/b.m3u8?x=/1", "low.m3u8", "http://host/a/low.m3u8"),
            ("http://host/a/b.m3u8", "/low.m3u8", "http://host/low.m3u8"),
            ("http://host", "low.m3u8", "http://host/low.m3u8"),
            ("http://host/b", "https://other/c", "https://other/c"),
        ] {
            assert_eq!(beside(url, other), expected);
        }
        assert!(ends("#EXTM3U\n#EXTINF:4,\na.ts\n#EXT-X-ENDLIST\n"));
        assert!(!ends("#EXTM3U\n#EXTINF:4,\na.ts\n"));
    }
}
