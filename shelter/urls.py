"""What the shelter answers to: the admin, and the two questions a load balancer asks."""

from django.contrib import admin
from django.urls import path
from django.views.generic import RedirectView

from shelter.health import healthz, readyz

admin.site.site_header = "Shelter"
admin.site.site_title = "Shelter"
admin.site.index_title = "Animals and people"
# Few things are kept here, and a list of animals needs the width.
admin.site.enable_nav_sidebar = False

urlpatterns = [
    path("", RedirectView.as_view(pattern_name="admin:index")),
    path("admin/", admin.site.urls),
    path("healthz", healthz, name="healthz"),
    path("readyz", readyz, name="readyz"),
]
