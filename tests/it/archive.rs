//! Archives of maps that visitors take away: by permission, whole or by range.

use crate::map::{Map, archive, at, problem, upload};
use serde_json::{Value, json};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::rc::Rc;
use std::time::{Duration, Instant};
use tests::stack::{within, within_a_day};
use tests::{Reply, Stack};

crate::tests![
    an_archive_is_taken_whole_and_by_range,
    an_archive_is_taken_by_permission_alone,
    a_taken_archive_counts_for_its_sharer,
    a_download_breaks_off_when_its_link_is_revoked,
    a_network_takes_four_archives_of_a_link_at_once,
    ranges_without_end_are_paced,
];

fn get(map: &Map, path: &str, headers: &[(&str, &str)]) -> Reply {
    map.edge.send("GET", path, headers, None)
}

fn token(link: &Value) -> &str {
    link["token"].as_str().expect("a token")
}

/// The path by which a link's visitor takes the archive of a profile.
#[track_caller]
fn path(map: &Map, link: &Value, profile: &str) -> String {
    let described =
        map.visit("share.tilejson", token(link), &json!({ "profile": profile })).expect(200).json();
    let url = described["archive"]["url"].as_str().expect("an address");
    url.strip_prefix(map.edge.origin()).expect("at the edge").to_owned()
}

fn an_archive_is_taken_whole_and_by_range(stack: &Stack) {
    let map = Map::create(stack);
    let link = map.link(&json!({ "permission": "download" }));
    let bytes = archive(true);
    let path = path(&map, &link, "vector");
    let whole = get(&map, &path, &[]).expect(200);
    assert!(whole.body == bytes, "other bytes than were uploaded");
    for (name, value) in [
        ("content-type", "application/vnd.pmtiles"),
        ("content-disposition", "attachment; filename=\"world-vector.pmtiles\""),
        ("accept-ranges", "bytes"),
        ("cache-control", "private, no-cache"),
        ("x-content-type-options", "nosniff"),
        ("access-control-allow-origin", "*"),
    ] {
        assert_eq!(whole.header(name), value, "{name}");
    }
    let last = bytes.len() - 1;
    for (range, first, end) in [
        ("bytes=0-126", 0, 126),
        ("bytes=127-", 127, last),
        ("bytes=-10", last - 9, last),
        (&format!("bytes=5-{}", u64::MAX / 4), 5, last),
    ] {
        let part = get(&map, &path, &[("range", range)]).expect(206);
        assert!(part.body == bytes[first..=end], "{range}");
        assert_eq!(part.header("content-range"), format!("bytes {first}-{end}/{}", bytes.len()), "{range}");
    }
    for nowhere in ["bytes=99999999-", "bytes=9-1"] {
        let beyond = get(&map, &path, &[("range", nowhere)]).expect(416);
        assert_eq!(beyond.header("content-range"), format!("bytes */{}", bytes.len()));
    }
    // What is no single range is none.
    for range in ["bytes=0-1,5-6", "tiles=0-1", "nonsense"] {
        assert!(get(&map, &path, &[("range", range)]).expect(200).body == bytes, "{range}");
    }
    let tag = whole.header("etag").to_owned();
    let again = get(&map, &path, &[("if-none-match", &tag)]).expect(304);
    assert_eq!((again.body.len(), again.header("etag")), (0, tag.as_str()));
    get(&map, &path, &[("range", "bytes=0-9"), ("if-range", &tag)]).expect(206);
    get(&map, &path, &[("range", "bytes=0-9"), ("if-range", "\"other\"")]).expect(200);
    let head = map.edge.send("HEAD", &path, &[], None).expect(200);
    assert_eq!((head.body.len(), head.header("content-length")), (0, bytes.len().to_string().as_str()));
    problem(&map.edge.post(&path, &json!({})), 405);
    assert_eq!(map.edge.send("OPTIONS", &path, &[], None).status, 204);
}

fn an_archive_is_taken_by_permission_alone(stack: &Stack) {
    let map = Map::create(stack);
    let (viewed, taken) = (map.link(&json!({})), map.link(&json!({ "permission": "download" })));
    let described = |link: &Value| map.visit("share.tilejson", token(link), &json!({})).expect(200).json();
    assert_eq!(described(&viewed)["archive"], Value::Null);
    let opened = |link: &Value| map.visit("share.link.validate", token(link), &json!({})).expect(200).json();
    let profiles = |opened: &Value| opened["target"]["profiles"].as_array().expect("profiles").clone();
    assert!(profiles(&opened(&viewed)).iter().all(|profile| profile["archive"] == Value::Null));
    for profile in profiles(&opened(&taken)) {
        let url = profile["archive"]["url"].as_str().expect("an address");
        let found = get(&map, url.strip_prefix(map.edge.origin()).unwrap(), &[]).expect(200);
        assert_eq!(profile["archive"]["bytes"], json!(found.body.len()));
    }
    // A ticket for tiles takes no archive, nor one for an archive tiles.
    let archive = path(&map, &taken, "raster");
    let tiles = map.tiles(token(&taken), "raster");
    let ticket = |path: &str| path.split('/').nth(4).expect("a ticket").to_owned();
    problem(&get(&map, &format!("/v1/share/archives/{}", ticket(&tiles)), &[]), 404);
    problem(&get(&map, &at(&tiles.replace(&ticket(&tiles), &ticket(&archive)), 0, 0, 0), &[]), 404);
    for foreign in ["x", "%2e%2e", &"A".repeat(400)] {
        problem(&get(&map, &format!("/v1/share/archives/{foreign}"), &[]), 404);
    }
    map.owner().post("/v1/op/share.link.revoke", &json!({ "link_id": taken["id"] })).expect(200);
    problem(&get(&map, &archive, &[]), 404);
}

fn a_taken_archive_counts_for_its_sharer(stack: &Stack) {
    within_a_day(Duration::from_mins(2));
    let map = Map::create(stack);
    let link = map.link(&json!({ "permission": "download", "tile_budget": 2 }));
    let path = path(&map, &link, "raster");
    let part = get(&map, &path, &[("range", "bytes=0-99")]).expect(206).body.len();
    let whole = get(&map, &path, &[]).expect(200).body.len();
    problem(&get(&map, &path, &[]), 429);
    // Gates report every 10 s.
    within(Duration::from_secs(40), "the bytes in the usage", || {
        let usage = map.tenant.admin.get("/api/v1/usage").expect(200).json();
        // A range costs the bucket no less than 64 KiB would.
        (part == 100 && usage["days"][0]["bytes"] == json!(65_536 + whole)).then_some(())
    });
}

/// A map whose archive of 48 MiB no buffer on the way holds.
#[derive(Clone)]
struct Large {
    map: Rc<Map>,
    item: Value,
    bytes: usize,
    link: Value,
    path: String,
}

impl Large {
    #[track_caller]
    fn create(stack: &Stack) -> Self {
        let map = Map::create(stack);
        let mut file = archive(false);
        // Bytes behind the tiles do no harm.
        file.resize(48 << 20, 7);
        let uploaded = upload(&map.tenant.admin, &file).expect(201).json();
        let item = json!({
            "project_id": map.project, "name": "Large", "profiles": [{ "name": "noise", "key": uploaded["key"] }],
        });
        let item = map.tenant.admin.post("/api/v1/items", &item).expect(201).json();
        let link = map.link(&json!({ "target_id": item["id"], "permission": "download" }));
        let path = path(&map, &link, "noise");
        Self { map: Rc::new(map), item: item["id"].clone(), bytes: file.len(), link, path }
    }

    /// Begins a download whose reader has yet to read anything but its head.
    #[track_caller]
    fn begin(&self) -> BufReader<TcpStream> {
        let host = self.map.edge.origin().trim_start_matches("http://");
        let mut stream = TcpStream::connect(host).expect("the edge");
        stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a socket");
        let network = self.map.edge.network().expect("one of its own");
        let path = &self.path;
        write!(stream, "GET {path} HTTP/1.1\r\nHost: {host}\r\ncf-connecting-ip: {network}\r\n\r\n")
            .expect("sent");
        let mut reader = BufReader::new(stream);
        let mut line = String::new();
        reader.read_line(&mut line).expect("a head");
        assert!(line.starts_with("HTTP/1.1 200"), "{line}");
        while line != "\r\n" {
            line.clear();
            reader.read_line(&mut line).expect("a head");
        }
        reader
    }
}

/// Reads a download to its end, some 4 MiB a second, and tells how many bytes came, and when the last did.
fn read_slowly(reader: &mut BufReader<TcpStream>) -> (usize, Instant) {
    let (mut read, mut last) = (0, Instant::now());
    let mut chunk = vec![0; 128 * 1024];
    loop {
        match reader.read(&mut chunk) {
            Ok(0) | Err(_) => return (read, last),
            Ok(more) => (read, last) = (read + more, Instant::now()),
        }
        std::thread::sleep(Duration::from_millis(30));
    }
}

fn a_download_breaks_off_when_its_link_is_revoked(stack: &Stack) {
    let large = Large::create(stack);
    let (mut kept, mut broken) = (large.begin(), large.begin());
    let other = large.map.link(&json!({ "target_id": large.item, "permission": "download" }));
    let mut of_other = Large { path: path(&large.map, &other, "noise"), ..large.clone() }.begin();
    let bytes = large.bytes;
    std::thread::scope(|scope| {
        // A link that is alive is read to its end, however long that takes.
        let whole = scope.spawn(|| {
            let mut whole = vec![0; bytes];
            let begun = Instant::now();
            for part in whole.chunks_mut(128 * 1024) {
                of_other.read_exact(part).expect("all of it");
                std::thread::sleep(Duration::from_millis(30));
            }
            begun.elapsed()
        });
        large
            .map
            .owner()
            .post("/v1/op/share.link.revoke", &json!({ "link_id": large.link["id"] }))
            .expect(200);
        let revoked_at = Instant::now();
        let (read, last) = read_slowly(&mut broken);
        assert!(read < large.bytes, "{read} of {} bytes", large.bytes);
        // Two seconds until the isolate asks, and what the buffers on the way hold.
        let after = last.duration_since(revoked_at);
        assert!(after < Duration::from_secs(20), "bytes came for {after:?}");
        assert!(read_slowly(&mut kept).0 < large.bytes);
        assert!(whole.join().expect("all of it") > Duration::from_secs(6));
    });
}

fn a_network_takes_four_archives_of_a_link_at_once(stack: &Stack) {
    let large = Large::create(stack);
    let mut begun: Vec<_> = (0..4).map(|_| large.begin()).collect();
    let again = || get(&large.map, &large.path, &[("range", "bytes=0-9")]);
    let fifth = again();
    problem(&fifth, 429);
    assert_eq!(fifth.header("retry-after"), "10");
    // Those of another network have places of their own, and so have tiles.
    let elsewhere = large.map.edge.from("198.51.100.7");
    elsewhere.send("GET", &large.path, &[("range", "bytes=0-9")], None).expect(206);
    get(&large.map, &at(&large.map.tiles(token(&large.link), "noise"), 3, 0, 0), &[]).expect(200);
    drop(begun.pop());
    // The platform may drop a request without a word; then its place goes after 12 s.
    within(Duration::from_mins(1), "a place", || (again().status == 206).then_some(()));
}

fn ranges_without_end_are_paced(stack: &Stack) {
    let map = Map::create(stack);
    let link = map.link(&json!({ "permission": "download" }));
    let path = path(&map, &link, "raster");
    let begun = Instant::now();
    let statuses: Vec<u16> =
        (0..1_000).map(|_| get(&map, &path, &[("range", "bytes=0-999")]).status).collect();
    let served = statuses.iter().filter(|status| **status == 206).count();
    assert_eq!(served + statuses.iter().filter(|status| **status == 429).count(), statuses.len());
    // 400 at once, and 50 a second.
    let most = 401 + 50 * usize::try_from(begun.elapsed().as_secs() + 1).expect("seconds");
    assert!((400..=most).contains(&served), "{served} in {:?}", begun.elapsed());
}
