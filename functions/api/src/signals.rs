//! Computes a project's 17 signals at once.

use std::borrow::Cow;

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use shared::deo::{Signals, Tally};
use utoipa::openapi::schema::{ObjectBuilder, Type};
use utoipa::openapi::{RefOr, Schema};
use utoipa::{PartialSchema, ToSchema};

use crate::Api;
use crate::caller::Caller;
use crate::described::{ForReader, IdParam};
use crate::error::Error;
use crate::input::Id;

/// The 17 signals.
#[derive(Serialize)]
#[serde(transparent)]
pub(crate) struct SignalsBody(Signals);

impl ToSchema for SignalsBody {
    fn name() -> Cow<'static, str> {
        "Signals".into()
    }
}

impl PartialSchema for SignalsBody {
    /// The names are those of a serialised value, so that none can be forgotten here.
    fn schema() -> RefOr<Schema> {
        let signals = serde_json::json!(Tally::default().signals(0));
        let names = signals.as_object().into_iter().flat_map(serde_json::Map::keys);
        let object = ObjectBuilder::new().description(Some("17 numbers from 0 to 1"));
        let object = names.fold(object, |object, name| {
            let number = ObjectBuilder::new()
                .schema_type(Type::Number)
                .minimum(Some(0.0))
                .maximum(Some(1.0));
            object.property(name, number).required(name)
        });
        RefOr::T(Schema::Object(object.build()))
    }
}

/// The project's 17 signals, computed now from its pages and products.
#[utoipa::path(
    get,
    path = "/projects/{id}/deo-signals/debug",
    tag = "score",
    params(IdParam),
    responses((status = 200, description = "The signals", body = SignalsBody), ForReader),
)]
pub(crate) async fn debug(
    State(api): State<Api>,
    caller: Caller,
    id: Result<Id, Error>,
) -> Result<Json<SignalsBody>, Error> {
    let Id(project_id) = caller.check(id).await?;
    api.project(&caller.user_id, &project_id).await?;
    api.signals(&project_id).await.map(|signals| Json(SignalsBody(signals)))
}
