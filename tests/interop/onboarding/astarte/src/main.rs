//! A device over the library `astarte-device-fdo`, whose keys and credential are files in a folder. It tells its GUID, or why
//! it failed.

use std::{env, error::Error, path::PathBuf, process::ExitCode};

use astarte_device_fdo::{
    Ctx,
    client::http::InitialClient,
    crypto::software::SoftwareCrypto,
    di::Di,
    rustls::{
        ClientConfig, RootCertStore,
        pki_types::{CertificateDer, pem::PemObject as _},
    },
    srv_info::SkipServiceInfo,
    storage::FileStorage,
    to1::To1,
    to2::To2,
};

const USAGE: &str = "make FOLDER CERTIFICATE MANUFACTURER | onboard FOLDER CERTIFICATE keep|replace";
const MODEL: &str = "lamp";
const SERIAL: &str = "17";

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    match runtime.map_err(Into::into).and_then(|runtime| runtime.block_on(run(&arguments))) {
        Ok(guid) => {
            println!("{guid}");
            ExitCode::SUCCESS
        }
        Err(why) => {
            eprintln!("{why}");
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: &[String]) -> Result<String, Box<dyn Error>> {
    let [verb, folder, certificate, last] = arguments else { return Err(USAGE.into()) };
    // Of servers the one with this certificate is believed, and no other.
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(certificate)?)?;
    let tls = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    let mut storage = FileStorage::open(PathBuf::from(folder)).await?;
    let mut crypto = SoftwareCrypto::create(storage.clone()).await?;
    let mut ctx = Ctx::new(&mut crypto, &mut storage, tls.clone());
    match (verb.as_str(), last.as_str()) {
        ("make", manufacturer) => {
            let client = InitialClient::create(manufacturer.parse()?, tls)?;
            let device = Di::create(&mut ctx, client, MODEL, SERIAL).await?;
            Ok(device.create_credentials(&mut ctx).await?.dc_guid.to_string())
        }
        ("onboard", "keep" | "replace") => {
            let credential = Di::read_existing(&mut ctx).await?.ok_or("it was not made yet")?;
            let redirect = To1::new(&credential).rv_owner(&mut ctx).await?;
            let mut device = To2::create(credential, redirect, SERIAL, SkipServiceInfo::default())?;
            if last == "keep" {
                device.enable_credential_reuse();
            }
            let (device, ()) = device.to2_change(&mut ctx).await?;
            device.done(&mut ctx).await?;
            let credential = Di::read_existing(&mut ctx).await?.ok_or("it lost its credential")?;
            Ok(credential.dc_guid.to_string())
        }
        _ => Err(USAGE.into()),
    }
}
