//! The body of a request while it arrives, for handlers that do not want it in memory as a whole.
//!
//! Whatever a handler leaves unread is read beside its answer, within reason: a client that is still
//! sending would not see it.

#[cfg(target_arch = "wasm32")]
use crate::error::Error;
use crate::error::Result;
use std::cell::RefCell;
use std::fmt;
use std::rc::Rc;

/// The most bytes that are asked for at once.
#[cfg(target_arch = "wasm32")]
const PIECE: usize = 64 << 10;

/// A body that arrives. Clones are the same body; it can be read once.
#[derive(Clone, Default)]
pub struct BodyStream(Rc<RefCell<Source>>);

impl fmt::Debug for BodyStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BodyStream")
    }
}

/// Where the bytes come from.
#[derive(Default)]
enum Source {
    /// There are no more.
    #[default]
    Ended,
    /// They are in memory in pieces.
    #[cfg(feature = "native")]
    Pieces(std::vec::IntoIter<Vec<u8>>),
    /// They are in memory.
    Memory(Vec<u8>),
    /// The client sends them.
    #[cfg(target_arch = "wasm32")]
    Client(Box<Client>),
}

#[cfg(target_arch = "wasm32")]
type Answer = std::result::Result<(), wasip3::http::types::ErrorCode>;

#[cfg(target_arch = "wasm32")]
type Trailers =
    std::result::Result<Option<wasip3::http::types::Trailers>, wasip3::http::types::ErrorCode>;

#[cfg(target_arch = "wasm32")]
struct Client {
    stream: wasip3::wit_bindgen::StreamReader<u8>,
    trailers: wasip3::wit_bindgen::FutureReader<Trailers>,
    done: wasip3::wit_bindgen::FutureWriter<Answer>,
    /// Whether some of it was asked for.
    is_begun: bool,
}

impl BodyStream {
    /// A body that is in memory already.
    pub fn of_bytes(bytes: Vec<u8>) -> Self {
        Self(Rc::new(RefCell::new(Source::Memory(bytes))))
    }

    /// A body that is in memory in pieces, for tests.
    #[cfg(feature = "native")]
    pub fn of_pieces(pieces: Vec<Vec<u8>>) -> Self {
        Self(Rc::new(RefCell::new(Source::Pieces(pieces.into_iter()))))
    }

    /// The body of a request that the client may still be sending.
    #[cfg(target_arch = "wasm32")]
    pub(crate) fn of_request(request: wasip3::http::types::Request) -> Self {
        let (done, result) = wasip3::wit_future::new(|| Ok(()));
        let (stream, trailers) = wasip3::http::types::Request::consume_body(request, result);
        let client = Client {
            stream,
            trailers,
            done,
            is_begun: false,
        };
        Self(Rc::new(RefCell::new(Source::Client(Box::new(client)))))
    }

    /// Whether nothing more comes.
    #[cfg(target_arch = "wasm32")]
    pub(crate) fn is_over(&self) -> bool {
        matches!(*self.0.borrow(), Source::Ended)
    }

    /// Whether some of it was asked for: the server has told the client then to send it.
    #[cfg(target_arch = "wasm32")]
    pub(crate) fn is_begun(&self) -> bool {
        !matches!(&*self.0.borrow(), Source::Client(client) if !client.is_begun)
    }

    /// The next bytes, none at the end.
    ///
    /// # Errors
    /// 400 when the body broke off.
    pub async fn next(&self) -> Result<Option<Vec<u8>>> {
        match self.0.take() {
            Source::Ended => Ok(None),
            #[cfg(feature = "native")]
            Source::Pieces(mut pieces) => {
                let next = pieces.next();
                self.0.replace(Source::Pieces(pieces));
                Ok(next)
            }
            Source::Memory(bytes) => Ok(Some(bytes).filter(|bytes| !bytes.is_empty())),
            #[cfg(target_arch = "wasm32")]
            Source::Client(mut client) => {
                client.is_begun = true;
                let buffer = Vec::with_capacity(PIECE);
                let (status, bytes) = client.stream.read(buffer).await;
                if !bytes.is_empty() {
                    self.0.replace(Source::Client(client));
                    return Ok(Some(bytes));
                }
                if matches!(status, wasip3::wit_bindgen::StreamResult::Complete(_)) {
                    self.0.replace(Source::Client(client));
                    return Ok(Some(Vec::new()));
                }
                let Client {
                    stream,
                    trailers,
                    done,
                    ..
                } = *client;
                drop(stream);
                if let Err(code) = trailers.await {
                    return Err(Error::bad_parameters("The request's body broke off")
                        .context(format!("{code:?}")));
                }
                let _ = done.write(Ok(())).await;
                Ok(None)
            }
        }
    }

    /// Reads what is left, at most so many bytes, and forgets it.
    pub async fn drain(&self, most: usize) {
        let mut left = most;
        while let Ok(Some(bytes)) = self.next().await {
            match left.checked_sub(bytes.len()) {
                Some(less) => left = less,
                None => break,
            }
        }
    }
}
