//! Takes the files of Swagger UI that our page needs out of the archive its makers publish, so that
//! they are in the binary. Compressed, as hardly anybody takes them otherwise.

use std::error::Error;
use std::fs::File;
use std::io::Cursor;
use std::path::PathBuf;

use flate2::Compression;
use flate2::write::GzEncoder;
use utoipa_swagger_ui_vendored::SWAGGER_UI_VENDORED;
use zip::ZipArchive;

/// What the page is made of, besides what is ours.
const NEEDED: [&str; 2] = ["swagger-ui-bundle.js", "swagger-ui.css"];

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo::rerun-if-changed=build.rs");
    #[expect(
        clippy::disallowed_methods,
        reason = "so cargo tells where to put what is built"
    )]
    let folder = PathBuf::from(std::env::var_os("OUT_DIR").ok_or("OUT_DIR is not told")?);
    let mut archive = ZipArchive::new(Cursor::new(SWAGGER_UI_VENDORED))?;
    let version = archive
        .by_index(0)?
        .name()?
        .trim_end_matches('/')
        .to_owned();
    for name in NEEDED {
        let mut file = archive.by_name(&format!("{version}/dist/{name}"))?;
        let packed = File::create(folder.join(format!("{name}.gz")))?;
        let mut packed = GzEncoder::new(packed, Compression::best());
        std::io::copy(&mut file, &mut packed)?;
        packed.finish()?;
    }
    Ok(())
}
