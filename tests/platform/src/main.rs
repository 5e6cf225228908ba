//! Runs the emulator on the loopback interface until the process ends: `platform-emulator [PORT [TOKEN]]`.

use platform_emulator::{Options, Platform};

fn main() -> std::io::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let mut options = Options::default();
    if let Some(port) = arguments.next() {
        options.port = port.parse().map_err(|_| std::io::Error::other(format!("`{port}` is no port")))?;
    }
    options.token = arguments.next().unwrap_or(options.token);
    let platform = Platform::start_with(options)?;
    println!("SERVER_ADDRESS={}\nAPI_TOKEN={}", platform.url(), platform.token());
    loop {
        std::thread::park();
    }
}
