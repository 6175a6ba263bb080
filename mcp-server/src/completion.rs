//! What could be meant by the beginning of an argument: the ids of features, by number or by name.

use cogwork_schemas::FeatureId;
use rmcp::model::{CompleteRequestParams, CompleteResult, CompletionInfo, Reference};

use crate::prompts::FEATURE_ID;
use crate::resources::FEATURE;
use crate::server::Server;

/// How well a feature fits what was typed; the smaller the better.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Fit {
    Id,
    Beginning,
    Inside,
}

impl Server {
    /// Completes an argument; with nothing where there is nothing to say, for a completion must not get in the way.
    pub(crate) async fn completion(&self, request: CompleteRequestParams) -> CompleteResult {
        let is_id = match &request.r#ref {
            Reference::Resource(resource) => resource.uri == FEATURE && request.argument.name == "id",
            Reference::Prompt(_) => request.argument.name == FEATURE_ID,
            // The library may learn of other references.
            _ => false,
        };
        if !is_id {
            return CompleteResult::default();
        }
        let typed = request.argument.value.trim().trim_start_matches('#').to_lowercase();
        let found = self.database().run(move |store| {
            let names = store.names()?;
            let mut found: Vec<(Fit, FeatureId)> =
                names.iter().filter_map(|(id, name)| Some((fit(*id, name, &typed)?, *id))).collect();
            found.sort_unstable();
            Ok(found)
        });
        let found = found.await.unwrap_or_default();
        let shown: Vec<String> =
            found.iter().take(CompletionInfo::MAX_VALUES).map(|(_, id)| id.0.to_string()).collect();
        let (total, more) = (u32::try_from(found.len()).ok(), found.len() > shown.len());
        CompletionInfo::with_pagination(shown, total, more).map(CompleteResult::new).unwrap_or_default()
    }
}

fn fit(id: FeatureId, name: &str, typed: &str) -> Option<Fit> {
    if id.0.to_string().starts_with(typed) {
        return Some(Fit::Id);
    }
    let name = name.to_lowercase();
    if name.starts_with(typed) {
        return Some(Fit::Beginning);
    }
    name.contains(typed).then_some(Fit::Inside)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_feature_is_meant_by_its_number_or_its_name() {
        let fit = |typed| fit(FeatureId(12), "Login form", typed);
        for (typed, expected) in [
            ("", Some(Fit::Id)),
            ("1", Some(Fit::Id)),
            ("12", Some(Fit::Id)),
            ("2", None),
            ("log", Some(Fit::Beginning)),
            ("form", Some(Fit::Inside)),
            ("forms", None),
        ] {
            assert_eq!(fit(typed), expected, "{typed}");
        }
    }
}
