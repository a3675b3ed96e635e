// Starts Swagger UI on the API's description. Behind the # of the address, where they stay in the browser, may
// stand a bearer token and a project to try with: `deo up` prints such links.
window.onload = async () => {
  const given = new URLSearchParams(location.hash.slice(1));
  const spec = await (await fetch('/openapi.json')).json();
  for (const parameter of Object.values(spec.paths).flatMap(Object.values).flatMap(({ parameters }) => parameters ?? [])) {
    if (parameter.in === 'path' && parameter.name === 'id' && given.has('project')) {
      parameter.example = given.get('project');
    }
  }
  window.ui = SwaggerUIBundle({
    spec,
    dom_id: '#swagger-ui',
    presets: [SwaggerUIBundle.presets.apis],
    tryItOutEnabled: true,
    displayRequestDuration: true,
    // What is typed into Authorize outlives a reload.
    persistAuthorization: true,
    onComplete: () => given.has('token') && window.ui.preauthorizeApiKey('bearer', given.get('token')),
  });
};
