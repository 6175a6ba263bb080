use cogwork_schemas::FeatureId;

use super::*;

#[tokio::test]
async fn a_look_is_answered_on_this_thread_and_a_run_on_another() {
    let project = tempfile::tempdir().unwrap();
    drop(Store::create(project.path(), clock::source()).unwrap());
    let database = Database::of(project.path(), cogwork_store::StateHome::none(), true);
    let here = std::thread::current().id();
    let on = move |_: &Store| Ok(std::thread::current().id() == here);
    assert!(!database.look(on).await.unwrap(), "the first one opens the project, which may take its time");
    assert!(database.look(on).await.unwrap());
    assert!(!database.run(on).await.unwrap());
    let slot = Arc::clone(&database.store).lock_owned().await;
    let waiting = tokio::spawn({
        let database = database.clone();
        async move { database.look(on).await }
    });
    tokio::task::yield_now().await;
    drop(slot);
    assert!(!waiting.await.unwrap().unwrap(), "what has to wait for its turn does not do so here");
}

#[tokio::test]
async fn a_look_that_panics_is_told_and_the_next_opens_the_project_anew() {
    let project = tempfile::tempdir().unwrap();
    drop(Store::create(project.path(), clock::source()).unwrap());
    let database = Database::of(project.path(), cogwork_store::StateHome::none(), true);
    database.look(|store| Ok(store.last_seq()?)).await.unwrap();
    let error = database.look(|_| -> Result<(), _> { panic!("told") }).await.unwrap_err();
    assert_eq!(error.code(), Code::Internal);
    assert!(database.store.lock().await.is_none());
    let error = database.look(|store| Ok(store.feature(FeatureId(7))?)).await.unwrap_err();
    assert_eq!(error.code(), Code::NotFound);
}
