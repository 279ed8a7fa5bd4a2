// Shows the API that this page belongs to, and asks nobody else for anything: the validator and the
// other sites that Swagger UI knows are left out. A key that is typed in stays in this page.
SwaggerUIBundle({
  url: "openapi.json",
  dom_id: "#api",
  deepLinking: true,
  persistAuthorization: false,
  queryConfigEnabled: false,
  syntaxHighlight: { activated: true },
  tryItOutEnabled: true,
  validatorUrl: null,
});
