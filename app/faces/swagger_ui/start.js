"use strict";

// Swagger UI as a newcomer wants it: every operation in sight and ready to try, the
// token kept over a reload, and nothing asked of any other machine.
SwaggerUIBundle({
  dom_id: "#swagger-ui",
  url: "openapi.json",
  validatorUrl: null,
  deepLinking: true,
  docExpansion: "list",
  tryItOutEnabled: true,
  persistAuthorization: true,
  displayRequestDuration: true,
  defaultModelsExpandDepth: 0,
});
