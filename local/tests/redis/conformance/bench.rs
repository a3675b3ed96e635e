//! A server, a way to it that is under test, and another way that is not.

use gateway::{Gateway, GatewayConfig};
use servers::RedisServer;
use shared::config::{Endpoint, Secret};
use shared::redis::{Command, Error, Options, Redis, RestAnswers, Value};

/// The gateway's token, or the user's password.
pub const PASSWORD: &str = "canary-password";

/// A server of its own for each case.
pub struct Bench {
    /// The client under test.
    pub redis: Redis,
    control: redis::aio::MultiplexedConnection,
    way: Way,
    server: RedisServer,
}

enum Way {
    Tcp,
    Rest { gateway: Gateway, answers: RestAnswers },
}

impl Bench {
    pub async fn tcp() -> Self {
        Self::start(RedisServer::start().await.unwrap(), Way::Tcp).await
    }

    pub async fn rest(answers: RestAnswers) -> Self {
        let server = RedisServer::start().await.unwrap();
        let mut config = GatewayConfig::new(server.url(), PASSWORD);
        config.read_only_token = Some(Secret::new("reader-password"));
        let gateway = Gateway::start(config).await.unwrap();
        Self::start(server, Way::Rest { gateway, answers }).await
    }

    async fn start(server: RedisServer, way: Way) -> Self {
        let control = redis::Client::open(server.url()).unwrap();
        let control = control.get_multiplexed_async_connection().await.unwrap();
        let redis = way.client(&server, "default", if way.is_tcp() { "" } else { PASSWORD });
        Self { redis, control, way, server }
    }

    /// A client with another user's password, or with another token.
    pub fn client(&self, user: &str, password: &str) -> Redis {
        self.way.client(&self.server, user, password)
    }

    /// A client that may only read.
    pub async fn reader(&mut self) -> Redis {
        if self.way.is_tcp() {
            self.control(&["ACL", "SETUSER", "reader", "on", ">reader-password", "~*", "+@read"])
                .await;
        }
        self.client("reader", "reader-password")
    }

    /// Runs a command past the client under test.
    pub async fn control(&mut self, args: &[&str]) -> redis::Value {
        let mut command = redis::cmd(args[0]);
        for arg in &args[1..] {
            command.arg(arg);
        }
        command.query_async(&mut self.control).await.unwrap()
    }

    /// How many commands the server has executed since the last call, other than ours in here.
    pub async fn executed(&mut self) -> u64 {
        let info = self.control(&["INFO", "commandstats"]).await;
        self.control(&["CONFIG", "RESETSTAT"]).await;
        let info: String = redis::from_redis_value(info).unwrap();
        info.lines()
            .filter_map(|line| {
                let (name, counts) = line.strip_prefix("cmdstat_")?.split_once(":calls=")?;
                let ours = name.starts_with("config") || name == "info";
                let calls = counts.split(',').next()?.parse::<u64>().unwrap();
                (!ours).then_some(calls)
            })
            .sum()
    }

    /// Runs one command over the client under test.
    pub async fn call(&self, args: &[&str]) -> Result<Value, Error> {
        self.redis.call(command(args)).await
    }
}

impl Way {
    fn is_tcp(&self) -> bool {
        matches!(self, Self::Tcp)
    }

    fn client(&self, server: &RedisServer, user: &str, password: &str) -> Redis {
        match self {
            Self::Tcp => {
                let userinfo =
                    if password.is_empty() { String::new() } else { format!("{user}:{password}@") };
                let url = server.url().replace("redis://", &format!("redis://{userinfo}"));
                let url = Secret::new(url);
                Redis::new(&Endpoint::Tcp { url, allow_plaintext: false }).unwrap()
            }
            Self::Rest { gateway, answers } => {
                let (url, token) = (gateway.url(), Secret::new(password));
                let config = Endpoint::Rest { url, token, allow_plaintext: false };
                let options = Options { rest_answers: *answers, ..Options::default() };
                Redis::with_options(&config, options).unwrap()
            }
        }
    }
}

/// A command by its words. It lives as long as the test, hence the leak of its name.
pub fn command(args: &[&str]) -> Command {
    Command::new(args[0].to_owned().leak()).args(args[1..].iter().copied())
}

pub fn text(text: &str) -> Value {
    Value::Bytes(text.into())
}

pub fn array(items: impl IntoIterator<Item = Value>) -> Value {
    Value::Array(items.into_iter().collect())
}
