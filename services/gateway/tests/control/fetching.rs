//! Files are brought over HTTPS, and from nowhere that is not public (RFC 8520, section 1.6).

use std::net::{SocketAddr, TcpListener};
use std::path::Path;

use gateway::manager::{Brought, Fault, FaultKind, Fetched, Fetcher, Lookup, Sources};
use mud::IpPrefix;

use crate::maker::{URL, file, signed, url};
use crate::web::{Page, Web};

const HOST: &str = "mud.maker.example";

/// Every name stands for these addresses.
#[derive(Clone)]
struct Names(Vec<SocketAddr>);

impl Lookup for Names {
    fn look_up(&self, _: &str, _: u16) -> std::io::Result<Vec<SocketAddr>> {
        Ok(self.0.clone())
    }
}

fn web(folder: &Path) -> Web {
    Web::start(TcpListener::bind("127.0.0.1:0").unwrap(), &[HOST, "127.0.0.1"], &folder.join("ca.pem"))
}

/// A fetcher that finds the server under every name, and may go there.
fn fetcher(web: &Web, folder: &Path, allowed: &[&str]) -> Fetcher {
    let mut sources = Sources { tls_ca: Some(folder.join("ca.pem")), ..Sources::default() };
    sources.announced.allow_private = allowed.iter().map(|text| IpPrefix::parse(text).unwrap()).collect();
    Fetcher::new(&sources, Names(vec![web.address])).unwrap()
}

fn at(web: &Web, path: &str) -> String {
    format!("https://{HOST}:{}{path}", web.address.port())
}

fn fetch(fetcher: &Fetcher, at: &str) -> Result<Brought, Fault> {
    fetcher.fetch(&url(at), None, |head| head.signature_url())
}

fn kind(outcome: Result<Brought, Fault>) -> FaultKind {
    outcome.expect_err("a fault").kind
}

#[test]
fn a_file_comes_with_its_signature_and_is_not_sent_again() {
    let folder = tempfile::tempdir().unwrap();
    let web = web(folder.path());
    let fetcher = fetcher(&web, folder.path(), &["127.0.0.0/8"]);
    let place = at(&web, "/plug/v1.json");
    let content = file(&place, "2026-03-01T10:00:00Z", &[("203.0.113.10", 443)]);
    let signature = signed(&content);
    web.publish("/plug/v1.json", &content, &signature);
    let tagged =
        Page::ok(content.as_bytes()).with("ETag", "\"one\"").with("Cache-Control", "x, max-age=90000");
    web.put("/plug/v1.json", tagged);
    let brought = fetch(&fetcher, &place).unwrap();
    let expected = Fetched {
        file: content.clone().into_bytes(),
        signature: Some(signature),
        etag: Some("\"one\"".into()),
        max_age: Some(90_000),
    };
    assert_eq!(brought, Brought::File(expected));
    let heads = web.requests().join("").to_lowercase();
    for header in ["accept: application/mud+json", "accept: application/pkcs7-signature", "accept-language: "]
    {
        assert!(heads.contains(header), "{heads}");
    }
    assert!(heads.contains("user-agent: sextant-gateway/"), "{heads}");
    let again = fetcher.fetch(&url(&place), Some("\"one\""), |_| panic!("no file, no signature"));
    assert_eq!(again, Ok(Brought::Unchanged { max_age: Some(90_000) }));
}

#[test]
fn redirections_are_followed_to_public_https_and_five_times() {
    let folder = tempfile::tempdir().unwrap();
    let web = web(folder.path());
    let fetcher = fetcher(&web, folder.path(), &["127.0.0.0/8"]);
    let content = file(URL, "2026-03-01T10:00:00Z", &[]).replace("\"mud-signature\"", "\"x-signature\"");
    web.put("/file", Page::ok(content.as_bytes()));
    for hop in 1..=6 {
        let to = if hop == 1 { "/file".to_owned() } else { format!("/hop{}", hop - 1) };
        web.put(&format!("/hop{hop}"), Page::to(302, &to));
    }
    let Brought::File(brought) = fetch(&fetcher, &at(&web, "/hop5")).unwrap() else { panic!("a file") };
    assert_eq!((brought.file, brought.signature), (content.into_bytes(), None));
    for (page, expected) in [
        (Page::to(302, "/hop6"), FaultKind::Redirects),
        (Page::to(302, "http://mud.maker.example/file"), FaultKind::NotHttps),
        (Page::to(302, "https://10.0.0.1/file"), FaultKind::Internal),
        (Page::to(302, "https://[::1]/file"), FaultKind::Internal),
        (Page::to(302, "https://169.254.169.254/latest"), FaultKind::Internal),
        (Page::to(307, "https://localhost/file"), FaultKind::Internal),
        (Page::to(301, "https://other.example/file"), FaultKind::Moved),
        (Page { status: 500, ..Page::default() }, FaultKind::Status),
        (Page { status: 410, ..Page::default() }, FaultKind::Absent),
        (Page::ok(b"no json"), FaultKind::NoFile),
        (Page::ok(&vec![b' '; mud::MAX_FILE_BYTES + 1]), FaultKind::TooLarge),
    ] {
        web.put("/first", page.clone());
        assert_eq!(
            kind(fetch(&fetcher, &at(&web, "/first"))),
            expected,
            "{} {:?}",
            page.status,
            page.headers
        );
    }
}

#[test]
fn no_name_and_no_address_leads_inside() {
    let folder = tempfile::tempdir().unwrap();
    let web = web(folder.path());
    let guarded = fetcher(&web, folder.path(), &[]);
    web.put("/x", Page::ok(b"{}"));
    // A name that stands for an address inside, and addresses themselves.
    assert_eq!(kind(fetch(&guarded, &at(&web, "/x"))), FaultKind::Internal);
    for inside in
        ["https://127.0.0.1/x", "https://[::ffff:127.0.0.1]/x", "https://10.1.2.3/x", "https://localhost/x"]
    {
        assert_eq!(kind(fetch(&guarded, inside)), FaultKind::Internal, "{inside}");
    }
    // One public address beside it does not help.
    let sources = Sources { tls_ca: Some(folder.path().join("ca.pem")), ..Sources::default() };
    let mixed = Names(vec!["203.0.113.1:443".parse().unwrap(), web.address]);
    let mixed = Fetcher::new(&sources, mixed).unwrap();
    assert_eq!(kind(fetch(&mixed, &at(&web, "/x"))), FaultKind::Internal);
    assert_eq!(kind(fetch(&Fetcher::new(&sources, Names(vec![])).unwrap(), URL)), FaultKind::Name);
    assert_eq!(web.requests(), Vec::<String>::new(), "nobody spoke with the server");
    // The site may allow some addresses, and those only.
    let allowed = fetcher(&web, folder.path(), &["127.0.0.1/32"]);
    assert_eq!(kind(fetch(&allowed, &at(&web, "/x"))), FaultKind::NoFile);
    let other = fetcher(&web, folder.path(), &["127.0.0.2/32"]);
    assert_eq!(kind(fetch(&other, &at(&web, "/x"))), FaultKind::Internal);
}

#[test]
fn web_servers_are_believed_by_their_certificate() {
    let folder = tempfile::tempdir().unwrap();
    let web = web(folder.path());
    web.put("/x", Page::ok(b"{}"));
    let fetcher = fetcher(&web, folder.path(), &["127.0.0.0/8"]);
    let other_name = format!("https://evil.example:{}/x", web.address.port());
    assert_eq!(kind(fetch(&fetcher, &other_name)), FaultKind::Certificate);
    let elsewhere = tempfile::tempdir().unwrap();
    let _other =
        Web::start(TcpListener::bind("127.0.0.1:0").unwrap(), &[HOST], &elsewhere.path().join("ca.pem"));
    let stranger = self::fetcher(&web, elsewhere.path(), &["127.0.0.0/8"]);
    assert_eq!(kind(fetch(&stranger, &at(&web, "/x"))), FaultKind::Certificate);
    assert_eq!(web.requests(), Vec::<String>::new());
}
