//! The list for Raspberry Pi Imager (B8).

use std::collections::BTreeSet;
use std::fs;

use ring::digest::{SHA256, digest};
use serde_json::Value;

use crate::card::make_image;
use crate::program::{folder, provision, run};

fn sha256(bytes: &[u8]) -> String {
    digest(&SHA256, bytes).as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// By the schema in Raspberry Pi Imager's own documentation: what an entry must have, of which type.
#[test]
fn b8_the_list_for_raspberry_pi_imager_has_what_its_schema_asks_for() {
    let folder = folder("imager");
    let image = make_image(&folder.path().join("storebox-rpi4.img"));
    run("zstd", &["-q".as_ref(), folder.path().join("storebox-rpi4.img").as_ref()]);
    fs::write(folder.path().join("storebox-rpi5.img"), &image).unwrap();
    let list = ["imager", "--url", "https://downloads.example/storebox/", "storebox-rpi4.img.zst", "storebox-rpi5.img"];
    let said = provision(folder.path(), [&list[..], &["--date", "2026-11-22"]].concat());
    said.expect(0, &["Written: os-list.json"]);
    let text = fs::read_to_string(folder.path().join("os-list.json")).unwrap();
    let read: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(read.as_object().unwrap().keys().collect::<Vec<_>>(), ["os_list"], "the schema allows little else");
    let entries = read["os_list"].as_array().unwrap();
    let texts = ["name", "description", "icon", "url", "extract_sha256", "image_download_sha256", "release_date"];
    for entry in entries {
        assert!(texts.iter().all(|key| entry[key].is_string()), "{entry}");
        assert!(["extract_size", "image_download_size"].iter().all(|key| entry[key].is_u64()), "{entry}");
        assert!(entry["devices"].as_array().unwrap().iter().all(Value::is_string), "{entry}");
        assert_eq!(entry.as_object().unwrap().len(), 10, "{entry}");
        assert_eq!((&entry["extract_size"], &entry["extract_sha256"]), (&image.len().into(), &sha256(&image).into()));
        assert_eq!(entry["release_date"], "2026-11-22");
    }
    let packed = fs::read(folder.path().join("storebox-rpi4.img.zst")).unwrap();
    assert_eq!(entries[0]["url"], "https://downloads.example/storebox/storebox-rpi4.img.zst");
    assert_eq!(entries[0]["image_download_size"], packed.len());
    assert_eq!(entries[0]["image_download_sha256"], sha256(&packed));
    assert_eq!(entries[1]["image_download_sha256"], entries[1]["extract_sha256"]);
    let tags: BTreeSet<&str> = entries.iter().map(|entry| entry["devices"][0].as_str().unwrap()).collect();
    assert_eq!(tags, BTreeSet::from(["pi4-64bit", "pi5-64bit"]));

    provision(folder.path(), list).expect(70, &["os-list.json is there already"]);
    provision(folder.path(), ["imager", "--url", "downloads", "storebox-rpi4.img.zst"]).expect(64, &["no address"]);
    fs::rename(folder.path().join("storebox-rpi5.img"), folder.path().join("storebox-x86.img")).unwrap();
    let other = ["imager", "--url", "https://x.example", "storebox-x86.img", "-o", "x.json"];
    provision(folder.path(), other).expect(64, &["not named after a Raspberry Pi"]);
}
