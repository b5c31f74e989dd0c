//! The table of requests as OpenAPI has it: made of the table, so that it cannot say anything else.

use serde_json::{Map, Value, json};

use super::routes::{ROUTES, Route};

/// The OpenAPI document.
pub(super) fn document() -> Value {
    let mut paths = Map::new();
    for route in ROUTES {
        let path = paths.entry(route.path).or_insert_with(|| json!({}));
        path[route.method.to_ascii_lowercase()] = operation(route);
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "errorfs, a live mount",
            "version": "1",
            "description": "Over a Unix socket. Changes are answered when they hold.",
        },
        "paths": paths,
        "components": { "schemas": { "Problem": problem() } },
    })
}

fn operation(route: &Route) -> Value {
    let mut operation = json!({
        "summary": route.summary,
        "operationId": id(route),
        "responses": {
            "200": { "description": "done", "content": { route.answer: {} } },
            "default": {
                "description": "not done, and nothing has changed",
                "content": { "application/problem+json": {
                    "schema": { "$ref": "#/components/schemas/Problem" },
                } },
            },
        },
    });
    let named = route.path.contains("{name}").then(|| parameter("name", "path", true));
    let options = route.options.iter().map(|option| parameter(option, "query", false));
    let parameters: Vec<Value> = named.into_iter().chain(options).collect();
    if !parameters.is_empty() {
        operation["parameters"] = Value::Array(parameters);
    }
    if let Some(body) = route.body {
        let content = json!({ "application/json": {}, "application/toml": {} });
        operation["requestBody"] = json!({ "description": body, "content": content });
    }
    operation
}

fn parameter(name: &str, place: &str, required: bool) -> Value {
    json!({ "name": name, "in": place, "required": required, "schema": { "type": "string" } })
}

/// `get_v1_rules_name`.
fn id(route: &Route) -> String {
    let words = route.path.split(|letter: char| !letter.is_alphanumeric());
    let words = words.filter(|word| !word.is_empty()).map(str::to_owned);
    std::iter::once(route.method.to_ascii_lowercase()).chain(words).collect::<Vec<_>>().join("_")
}

fn problem() -> Value {
    json!({
        "type": "object",
        "required": ["type", "title", "status", "code", "detail"],
        "properties": {
            "type": { "type": "string" },
            "title": { "type": "string" },
            "status": { "type": "integer" },
            "code": { "type": "string", "description": "as those of `errorfs check`" },
            "detail": { "type": "string" },
            "diagnostics": { "type": "array", "items": { "type": "object" } },
        },
    })
}
